"""`python -m bridge …`, for hosts that install the requirements and not the project itself."""

from bridge.cli import main

main(prog_name="bridge")
