"""Load from wrk, which costs little beside the server that it shares the machine with."""

import json
import re
import shutil
import subprocess
from itertools import count, cycle, islice
from pathlib import Path

from adapters.contract import SignedRequest
from bench.webhooks import SHOPIFY, STRIPE

_SCRIPT = Path(__file__).with_name("load.lua")
# As the providers send them, beside what is signed.
_HEADERS = {
    "stripe": {
        "Accept": "*/*; q=0.5, application/json",
        "Cache-Control": "no-cache",
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    },
    "shopify": {
        "Accept": "*/*",
        "Accept-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Api-Version": "2026-10",
        "X-Shopify-Triggered-At": "2026-11-20T10:14:07.123456789Z",
    },
}
_numbers = count(1)


class Missing(Exception):
    """A program is not installed."""


def prepare(file: Path, requests: int) -> None:
    """Write so many signed requests, Stripe's and Shopify's in turn, none like any other."""
    with file.open("wb") as out:
        for kind, number in islice(zip(cycle((STRIPE, SHOPIFY)), _numbers, strict=False), requests):
            raw = _wire(kind.provider, kind.request(number), number)
            out.write(b"%010d" % len(raw) + raw)


def _wire(provider: str, request: SignedRequest, number: int) -> bytes:
    headers = {
        "Host": "bridge.example.com",
        "Content-Length": str(len(request.body)),
        **_HEADERS[provider],
        **{name.title(): value for name, value in request.headers.items()},
    }
    if provider == "shopify":
        headers["X-Shopify-Webhook-Id"] = headers["X-Shopify-Event-Id"] = (
            f"b54557e4-bdd9-4b37-8a5f-{number:012d}"
        )
    head = [f"POST /webhooks/{provider} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + request.body


def measure(
    port: int,
    requests: Path,
    *,
    seconds: float,
    connections: int = 32,
    rate: int = 0,
    answers: int = 0,
) -> dict[str, float]:
    """Send prepared requests for so long.

    rate: of all connections together, a second; 0 as fast as answers come. answers: end once so
    many have come; 0 when the time is over.
    Gives the rate, how long answers took, and how many were not 2xx or did not come.
    """
    program = shutil.which("wrk")
    if program is None:
        raise Missing("wrk is not installed: `make system` does it (Debian's package wrk)")
    ran = subprocess.run(  # noqa: S603 - found above
        [
            program,
            "--threads=1",
            f"--connections={connections}",
            f"--duration={max(1, round(seconds))}",
            "--timeout=10",
            f"--script={_SCRIPT}",
            f"http://127.0.0.1:{port}",
            "--",
            str(requests),
            str(rate),
            str(answers),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    told = re.search(r"^measured (.*)$", ran.stdout, re.MULTILINE)
    if told is None:
        raise RuntimeError(ran.stdout + ran.stderr)
    found = dict(json.loads(told[1]))
    return {**found, "rate": found["requests"] / found["seconds"]}
