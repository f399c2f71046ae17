"""Watches a gateway break and be healed on the board of policies, in headless Chromium, and forces its circuit.

    policies_page.py ADDRESS SERVICE TOKEN FOLDER

SERVICE is where the program of tests/documents/policies.rs serves the switch of its gateway; another instance of it is on the same
broker. Screenshots go to FOLDER. KINOKO_TEST_CHROMIUM names the browser.
"""

import os
import re
import sys
import urllib.request

from playwright.sync_api import expect, sync_playwright

from docs_page import ARGUMENTS
from live_page import Live

# Calls go on all the time, and what they come to is shown once a second.
SOON = 3_000
# Others are asked every few seconds.
FLEET = 10_000


class Board(Live):
    def __init__(self, page, address, service, folder):
        super().__init__(page, address)
        self.service = service
        self.folder = folder

    def shoot(self, name):
        self.page.screenshot(path=os.path.join(self.folder, f"policies-page-{name}.png"), full_page=True)

    def turn(self, state):
        urllib.request.urlopen(urllib.request.Request(f"{self.service}/gateway/{state}", method="PUT")).close()

    def card(self, name):
        return self.page.get_by_role("article", name=f"checkout {name}")

    def state(self, name):
        return self.card(name).locator("header .state")

    def lately(self, name, what):
        """What is counted of the last seconds."""
        return self.card(name).locator("tbody tr").filter(has_text=what).locator("td").nth(1)

    def total(self, name, what):
        return self.card(name).locator("tbody tr").filter(has_text=what).locator("td").nth(2)

    def fill(self, name):
        return self.card(name).locator("circle").evaluate("circle => getComputedStyle(circle).fill")

    def grows(self, cell):
        before = cell.inner_text()
        expect(cell).not_to_have_text(before)
        assert int(cell.inner_text()) > int(before), (before, cell.inner_text())

    def sees_what_is_well(self):
        self.goes_to("Policies")
        expect(self.state("gateway")).to_have_text("closed")
        card = self.card("gateway")
        expect(card.locator(".rate")).to_have_text(re.compile(r"^[1-9]\d*\.\d per second$"))
        expect(card.locator(".errors")).to_have_text("0 % errors")
        expect(self.lately("gateway", "success")).to_have_text(re.compile(r"^[1-9]\d*$"))
        self.grows(self.total("gateway", "success"))
        expect(self.lately("gateway", "p50")).to_have_text(re.compile(r"^\d.* ms$"))
        for text in ["checkout", "of 3 busy", "opened 0 times", "last"]:
            expect(card).to_contain_text(text)
        # A point for each second, at most two minutes of them.
        expect(card.locator("polyline")).to_have_attribute("points", re.compile(r"^\S+ \S+"))
        # One without a circuit breaker has nothing to force. It refuses nearly all, so it comes first.
        expect(self.state("mail")).to_have_text("no circuit breaker")
        expect(self.card("mail").get_by_role("button")).to_have_count(0)
        self.grows(self.total("mail", "rate limit"))
        # The one mail that it let through was before anybody looked.
        expect(self.lately("mail", "success")).to_have_text("0")
        expect(self.total("mail", "success")).to_have_text("1")
        expect(self.page.get_by_role("article").first).to_contain_text("mail")
        expect(self.page.locator("#policies-number")).to_be_empty()
        expect(self.row("#circuits", "gateway").locator("td").nth(2)).to_have_text("2")
        expect(self.row("#circuits", "gateway").locator("td").nth(3)).to_have_text("2")

    def sees_it_break_and_heal(self):
        well = self.fill("gateway")
        self.turn("down")
        expect(self.state("gateway")).to_have_text("open", timeout=SOON)
        expect(self.card("gateway").locator(".errors")).to_have_text(re.compile(r"^[1-9]\d* % errors$"))
        self.grows(self.lately("gateway", "circuit open"))
        expect(self.lately("gateway", "failure")).to_have_text(re.compile(r"^[1-9]\d*$"))
        expect(self.page.get_by_role("article").first).to_contain_text("gateway")
        expect(self.page.locator("#policies-number")).to_have_text("(1 not closed)")
        assert self.fill("gateway") != well, "its colour tells of errors"
        # The other instance has the same gateway. Both try from time to time, and then are half-open.
        circuits = self.row("#circuits", "checkout", "gateway")
        expect(circuits.locator("td").last).to_have_text(re.compile(r"^(half-)?open in .*; (half-)?open in "), timeout=FLEET)
        expect(circuits).to_contain_text("(this one)")
        self.shoot("open")
        self.turn("up")
        expect(self.state("gateway")).to_have_text("closed")
        expect(self.card("gateway")).to_contain_text(re.compile(r"opened (once|[1-9]\d* times)"))
        expect(circuits.locator("td").last).to_be_empty(timeout=FLEET)

    def button(self, label):
        return self.card("gateway").get_by_role("button", name=label)

    def forces(self, label):
        self.button(label).click()
        self.page.locator("dialog").get_by_role("button", name=label).click()

    def is_used_by_keyboard(self):
        """The focus stays on a button while numbers go on, and nothing happens without a yes."""
        self.button("Force open").focus()
        self.grows(self.total("gateway", "success"))
        focused = "document.activeElement.textContent"
        assert self.page.evaluate(focused) == "Force open", self.page.evaluate(focused)
        self.page.keyboard.press("Enter")
        dialog = self.page.locator("dialog")
        expect(dialog).to_contain_text("Refuse every call under gateway of checkout in this instance")
        self.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        self.grows(self.total("gateway", "success"))
        expect(self.state("gateway")).to_have_text("closed")

    def forces_nothing_without_the_token(self, token):
        def as_a_stranger(route):
            route.continue_(headers={**route.request.headers, "authorization": "Bearer a token of strangers"})

        self.page.route("**/policies/**", as_a_stranger)
        self.forces("Force open")
        expect(self.page.locator("#problem")).to_contain_text("it needs the token")
        expect(self.page.get_by_label("Token")).to_be_visible()
        expect(self.page.locator("#policies")).to_be_hidden()
        expect(self.page.get_by_role("navigation")).to_be_hidden()
        self.page.unroute("**/policies/**")
        self.give(token)
        expect(self.state("gateway")).to_have_text("closed")
        expect(self.page.locator("#problem")).to_be_hidden()
        self.grows(self.total("gateway", "success"))

    def forces_it(self):
        expect(self.button("Leave to itself")).to_have_attribute("aria-pressed", "true")
        self.forces("Force open")
        expect(self.state("gateway")).to_have_text("forced open")
        expect(self.button("Force open")).to_have_attribute("aria-pressed", "true")
        expect(self.button("Leave to itself")).to_have_attribute("aria-pressed", "false")
        self.grows(self.total("gateway", "circuit open"))
        # Here, and not in the other instance.
        circuits = self.row("#circuits", "checkout", "gateway")
        expect(circuits.locator("td").last).to_have_text(re.compile(r"^forced open in \S+ \S+/\d+ \(this one\)$"), timeout=FLEET)
        self.forces("Force closed")
        expect(self.state("gateway")).to_have_text("forced closed")
        self.grows(self.total("gateway", "success"))
        self.forces("Leave to itself")
        expect(self.state("gateway")).to_have_text("closed")
        expect(self.button("Leave to itself")).to_have_attribute("aria-pressed", "true")

    def sees_a_stranger(self):
        """Who answers over the broker may say anything: it is text, and its numbers are numbers."""
        stranger = self.row("#circuits", "<img src=x onerror")
        expect(stranger).to_have_count(2)
        expect(stranger.first).to_contain_text("open in <img src=x onerror")
        assert stranger.first.locator("td").nth(6).inner_text() == "42"
        assert self.page.evaluate("window.hacked") is None, "a script of a stranger ran"
        assert self.page.locator("main img").count() == 0, "a text became HTML"

    def is_for_everybody(self):
        for heading in self.page.locator("th").all():
            assert heading.get_attribute("scope") == "col"
        grounds = set()
        for scheme in ["light", "dark"]:
            self.page.emulate_media(color_scheme=scheme)
            grounds.add(self.page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor"))
            self.shoot(scheme)
        assert len(grounds) == 2, grounds
        self.page.set_viewport_size({"width": 360, "height": 740})
        widest = self.page.evaluate("document.documentElement.scrollWidth")
        assert widest <= 360, f"it is wider than a phone: {widest}"
        cut = "table => table.scrollWidth > table.clientWidth"
        for table in self.page.locator(".card .scroll").all():
            assert not table.evaluate(cut), "a card is cut off"
        self.shoot("phone")


def main():
    address, service, token, folder = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["KINOKO_TEST_CHROMIUM"], args=ARGUMENTS)
        page = Board(browser.new_page(viewport={"width": 1280, "height": 900}), address, service, folder)
        page.asks_for_the_token(token)
        page.sees_what_is_well()
        page.sees_it_break_and_heal()
        page.is_used_by_keyboard()
        page.forces_nothing_without_the_token(token)
        page.forces_it()
        page.sees_a_stranger()
        page.is_for_everybody()
        browser.close()
    assert page.outside == [], f"asked for from outside: {page.outside}"
    assert page.complaints == [], f"the browser complained: {page.complaints}"


if __name__ == "__main__":
    main()
