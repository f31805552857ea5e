"""Which side owns which event: with one switch, every event comes from one side alone."""

import re

import pytest
from click.testing import CliRunner

from bridge.cli import main
from tests.flow.test_identity import order, post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("snippet", ["purchases", "shopify-pixel"])
@pytest.mark.parametrize("off", [(), ("ORDER",), ("PURCHASE",), ("ORDER", "PURCHASE")])
def test_what_the_bridge_does_not_send_the_snippet_does(make_rig, monkeypatch, off, snippet):
    switched = {f"HEAP_{name}_EVENT": " " for name in off}
    rig = make_rig(**switched)
    post(rig, order())
    ours = {event["event"] for event in rig.sent()}
    assert rig.stands() == [("settled", "")]

    for name, value in switched.items():
        monkeypatch.setenv(name, value)
    text = CliRunner().invoke(main, ["snippet", snippet, "--app-id", "1"]).stdout
    theirs = set(re.findall(r'^const (?:ORDER|PURCHASE) = "(\w+)";$', text, re.MULTILINE))
    assert (ours | theirs, ours & theirs) == ({"Order", "Purchase"}, set())
