"""A shop, a real browser in it, and a running bridge behind its webhooks."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from bridge.cli import main
from tests.processes.plugin import Processes, Sender, deployed
from tests.system.storefront.pages import APP, Page
from tests.system.storefront.shop import Shop

# Whoever blocks cookies in the settings: 2 is `block`.
_REFUSED = {"profile.default_content_setting_values.cookies": 2}


@dataclass
class Browser:
    """Chromium, as a shopper uses it."""

    driver: webdriver.Chrome

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def click(self, id_: str) -> None:
        self.driver.find_element(By.ID, id_).click()

    def until(self, script: str) -> None:
        """Wait until an expression is true."""
        WebDriverWait(self.driver, 15, 0.05).until(lambda _: self.run(f"return !!({script})"))

    @property
    def faults(self) -> list[str]:
        """What went wrong on this page."""
        found: list[str] = self.run("return window.faults")
        return found


@dataclass
class Behind:
    """A running bridge, to which the shop's providers post, and the sandbox behind it."""

    processes: Processes

    def told(self, provider: str, topic: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Post a signed webhook; give what Heap has of that order, the Order first."""
        sandbox = self.processes.sandbox
        before = len(sandbox.events())
        sender = Sender(self.processes.port)
        try:
            assert sender.post(provider, topic, json.dumps(body).encode()) == 200
        finally:
            sender.close()
        self.processes.drained()
        return sorted(sandbox.events()[before:], key=lambda event: str(event["event"]))


@pytest.fixture(scope="session")
def chromium(program, tmp_path_factory) -> Iterator[Callable[..., Browser]]:
    """Start Chromium with a fresh profile."""
    running = []

    def start(**preferences: Any) -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = program("chromium", "Debian's chromium")
        profile = tmp_path_factory.mktemp("profile")
        for word in (
            *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
            *("disable-background-networking", "disable-component-update", "disable-sync"),
            f"user-data-dir={profile}",
        ):
            options.add_argument(f"--{word}")
        if preferences:
            options.add_experimental_option("prefs", preferences)
        service = webdriver.ChromeService(program("chromedriver", "Debian's chromium-driver"))
        driver = webdriver.Chrome(options=options, service=service)
        driver.set_page_load_timeout(30)
        running.append(driver)
        return Browser(driver)

    yield start
    for driver in running:
        driver.quit()


@pytest.fixture(scope="session")
def usual(chromium: Callable[..., Browser]) -> Browser:
    return chromium()


@pytest.fixture(scope="session")
def without_cookies(chromium: Callable[..., Browser]) -> Browser:
    return chromium(**_REFUSED)


@pytest.fixture
def browser(usual) -> Iterator[Browser]:
    yield usual
    # No page of this test goes on while the next one looks.
    first, *others = usual.driver.window_handles
    for one in others:
        usual.driver.switch_to.window(one)
        usual.driver.close()
    usual.driver.switch_to.window(first)
    usual.open("about:blank")


@pytest.fixture(scope="session")
def behind(tmp_path_factory, blank_file) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("bridge")
    shutil.copy(blank_file, folder)
    with deployed(f"sqlite:///{folder}/bridge.db", BRIDGE_NO_IDENTITY="pseudonym") as processes:
        processes.start("web")
        processes.start("worker")
        yield Behind(processes)


@pytest.fixture
def printed(monkeypatch, tmp_path) -> Callable[..., str]:
    """Print a snippet, as the bridge's variables have it."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, **environ: str) -> str:
        with monkeypatch.context() as patched:
            for variable, value in environ.items():
                patched.setenv(variable, value)
            told = CliRunner().invoke(main, ["snippet", name, "--app-id", APP])
        assert told.exit_code == 0, told.output
        return told.stdout

    return run


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(**page: Any) -> Shop:
        shop = Shop(Page(**page))
        shop.start()
        shops.append(shop)
        return shop

    yield make
    for shop in shops:
        shop.stop()
