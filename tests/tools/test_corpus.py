import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.conventions import Conventions, FileBody
from adapters.registry import adapters
from bridge.tools.corpus import main

Lines = Callable[[Path], tuple[int, list[str]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Run the command over a folder: its exit status and what it printed."""

    def run(folder: Path) -> tuple[int, list[str]]:
        status = main([str(folder)])
        return status, capsys.readouterr().out.splitlines()

    return run


def sample(provider: str, sample: str) -> Path:
    return Path(str(adapters()[provider].samples)) / sample / "1.json"


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def test_each_file_gives_a_line_and_the_end_a_table(tmp_path: Path, lines: Lines) -> None:
    for name in ("stripe", "shopify", "mixed"):
        (tmp_path / name).mkdir()
    shutil.copy(sample("shopify", "yen"), tmp_path / "shopify" / "a.json")
    shutil.copy(sample("shopify", "yen"), tmp_path / "mixed" / "b.json")
    write(
        tmp_path / "shopify" / "c.json", {"order": json.loads(sample("shopify", "yen").read_text())}
    )
    write(tmp_path / "stripe" / "d.json", "[" * 100_000)
    write(tmp_path / "stripe" / "e.json", {"object": "customer", "id": "cus_1"})
    write(tmp_path / "mixed" / "f.json", {"weather": "fine"})

    assert lines(tmp_path) == (
        0,
        [
            "mixed/b.json: order of 19470 JPY, 2 lines",
            "mixed/f.json: not a webhook body: of no provider that is known",
            "shopify/a.json: order of 19470 JPY, 2 lines",
            "shopify/c.json: not a webhook body: wrapped in 'order'; order of 19470 JPY, 2 lines",
            "stripe/d.json: MalformedPayload $: nested too deeply",
            "stripe/e.json: not a webhook body: a bare customer",
            "",
            "     1  mixed: not a webhook body",
            "     1  mixed: order",
            "     2  shopify: order",
            "     1  stripe: malformed",
            "     1  stripe: not a webhook body",
            "     6  files",
        ],
    )


def test_the_topic_is_that_of_the_index_beside_the_file(tmp_path: Path, lines: Lines) -> None:
    write(tmp_path / "shopify" / "order__1.json", {"id": 1})
    write(tmp_path / "shopify" / "index.tsv", "file\ttopic\norder__1.json\tproducts/update\n")

    status, printed = lines(tmp_path)

    assert status == 0
    assert printed[0].startswith("shopify/order__1.json: ignored: topic products/update")


def test_a_bare_object_of_stripe_is_taken_as_its_event(tmp_path: Path, lines: Lines) -> None:
    write(tmp_path / "stripe" / "a.json", {"object": "invoice", "id": "in_1", "status": "open"})

    assert lines(tmp_path)[1][0] == (
        "stripe/a.json: not a webhook body: a bare invoice, taken as invoice.paid; "
        "ignored: the invoice is not paid"
    )


def test_an_adapter_says_itself_what_its_files_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: Lines
) -> None:
    def from_file(value: Mapping[str, Any], name: str, topic: str) -> FileBody | str | None:
        return FileBody(topic, value["inner"], f"{name} wrapped") if "inner" in value else None

    plain = replace(adapters()["example"], name="plain")
    wrapping = replace(plain, name="wrapping", conventions=Conventions(from_file=from_file))
    for adapter in (plain, wrapping):
        monkeypatch.setitem(adapters(), adapter.name, adapter)
    body = json.loads(sample("example", "guest-in-yen").read_text())
    write(tmp_path / "mixed" / "a.json", {"inner": body})
    write(tmp_path / "plain" / "b.json", body)
    write(tmp_path / "wrapping" / "c.json", body)

    assert lines(tmp_path)[1][:3] == [
        "mixed/a.json: not a webhook body: a.json wrapped; order of 4620 JPY, 1 lines",
        "plain/b.json: order of 4620 JPY, 1 lines",
        "wrapping/c.json: order of 4620 JPY, 1 lines",
    ]


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["no such folder"]])
def test_wrong_use_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == "use: make corpus DIR=<a folder of payloads>\n"
