"""The demo, the corpus runner and the bundled samples."""
