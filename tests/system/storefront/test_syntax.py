"""Every snippet is JavaScript as it is printed, and every file of it is before."""

import pytest

from bridge import storefront
from bridge.storefront import snippets

FILES = sorted(storefront.FOLDER.glob("*.js"))
LONGEST = {"HEAP_ORDER_EVENT": "", "HEAP_PURCHASE_EVENT": "", "BRIDGE_HASH_IDENTITY": "on"}
READ = "new Function(arguments[0])"


def test_there_are_files():
    assert {file.stem for file in FILES} > {"shopify-theme", "shopify-pixel", "stripe"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_javascript(browser, file):
    browser.driver.execute_script(READ, file.read_text("utf-8"))


@pytest.mark.parametrize("environ", [{}, LONGEST], ids=["usual", "longest"])
@pytest.mark.parametrize("name", snippets())
def test_a_snippet_is_javascript(browser, printed, name, environ):
    browser.driver.execute_script(READ, printed(name, **environ))
