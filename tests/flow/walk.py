"""Measures how far a purchase walks through the code: the files, and the calls between them.

Not one of the tests: `.venv/bin/pytest tests/flow/walk.py -s -k sqlite`.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.flow import shopify_bodies

ROOT = Path(__file__).parents[2]
OURS = tuple(f"{ROOT / folder}/" for folder in ("bridge", "adapters"))


@dataclass
class Walk:
    """The files that were entered, and how often each was called from another one."""

    entered: set[str] = field(default_factory=set)
    crossings: Counter[str] = field(default_factory=Counter)

    def profile(self, frame: FrameType, what: str, _: object) -> None:
        file = frame.f_code.co_filename
        if what != "call" or not file.startswith(OURS):
            return
        self.entered.add(file)
        caller = frame.f_back
        while caller and not caller.f_code.co_filename.startswith(OURS):
            caller = caller.f_back
        if caller is None or caller.f_code.co_filename != file:
            self.crossings[file] += 1

    @contextmanager
    def recorded(self) -> Iterator[None]:
        sys.setprofile(self.profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    def report(self, title: str) -> None:
        rows = [
            f"\n{title}: {len(self.entered)} files, {self.crossings.total()} calls between them"
        ]
        for file, times in self.crossings.most_common(12):
            rows.append(f"  {times:5} into {Path(file).relative_to(ROOT)}")
        sys.stdout.write("\n".join(rows) + "\n")


def normalized(step: Callable[[], int], look_up: Callable[[], int]) -> Walk:
    walk = Walk()
    done = 1
    while done:
        with walk.recorded():
            done = step()
        done += look_up()
    return walk


def test_a_shopify_webhook(rig):
    rig.post("shopify", "orders/paid", shopify_bodies.order())
    walk = normalized(rig.normaliser.step, lambda: 0)
    walk.report("One Shopify webhook, no key")
    assert [state for state, _ in rig.stands()] == ["settled"]


def test_a_stripe_checkout(make_rig, stripe_mock, shop, cart, item, things):
    rig = make_rig(STRIPE_API_KEY=stripe_mock.key, STRIPE_API_URL=stripe_mock.url)
    mug = item(name="Mug", unit=1250, quantity=2, metadata={"sku": "M-1"})
    bought = shop.checkout(cart(items=[mug, item(name="Tray", unit=999)], shipping=500))
    for topic, thing in (
        ("charge.succeeded", bought.charge),
        ("payment_intent.succeeded", bought.intent),
        ("checkout.session.completed", bought.session),
    ):
        rig.post("stripe", "", json.dumps(things.event(topic, thing), default=str).encode())
    walk = normalized(rig.normaliser.step, lambda: sum(asker.step() for asker in rig.askers))
    walk.report("One Stripe checkout (charge, payment intent, session), with a key")
    assert [state for state, _ in rig.stands()] == ["settled"]
