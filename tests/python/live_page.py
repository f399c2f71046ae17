"""Watches a program at work on its operations page, in headless Chromium.

    live_page.py ADDRESS TOKEN FOLDER

The browser finds no host but the program's own, and any request that asks for one fails the run. The program is the one of
tests/documents/live.rs. Screenshots go to FOLDER. KINOKO_TEST_CHROMIUM names the browser.
"""

import os
import re
import sys

from playwright.sync_api import expect, sync_playwright

from docs_page import ARGUMENTS
from operations_page import Operations


class Live(Operations):
    def row(self, section, *texts):
        rows = self.page.locator(f"{section} tbody tr")
        for text in texts:
            rows = rows.filter(has_text=text)
        return rows

    def goes_to(self, name):
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(self.page.get_by_role("navigation").locator("[aria-current=page]")).to_contain_text(name)

    def asks_for_the_token(self, token):
        self.page.goto(f"{self.address}/operations")
        expect(self.page.get_by_label("Token")).to_be_visible()
        expect(self.page.get_by_role("navigation")).to_be_hidden()
        self.give("a token of strangers")
        expect(self.page.locator("#problem")).to_contain_text("it needs the token")
        expect(self.page.get_by_role("navigation")).to_be_hidden()
        self.give(token)
        expect(self.page.locator("#now")).to_be_visible()
        expect(self.page.get_by_label("Token")).to_be_hidden()
        expect(self.page.locator("#sagas-tab")).to_be_hidden()

    def sees_what_happens_now(self):
        expect(self.page.locator("#standing")).to_have_text("ready")
        sell = self.row("#entrypoints", "till", "sell")
        expect(sell).to_have_count(1)
        # Rates come with the second snapshot, and both they and the totals go on by themselves.
        expect(sell.locator("td").nth(3)).to_have_text(re.compile(r"^[1-9]\d*\.\d$"))
        total = int(sell.locator("td").nth(4).inner_text())
        expect(sell.locator("td").nth(4)).not_to_have_text(str(total))
        assert int(sell.locator("td").nth(4).inner_text()) > total
        expect(sell.locator("td").nth(9)).to_have_text(re.compile(r"(ms|µs|s)$"))
        expect(self.row("#entrypoints", "till", "refund").locator("td.bad")).to_have_text("1")
        expect(self.row("#entrypoints", "ledger", "on_closed").locator("td").last).to_have_text("1")
        expect(self.row("#calls", "ledger", "note")).to_have_count(1)
        own = self.row("#fleet", "till", "(this one)")
        expect(own).to_have_count(1)
        stranger = self.row("#fleet", "stranger")
        for text in ["<img src=x onerror", "1 d 1 h", "1 of 2", "42", "not ready"]:
            expect(stranger).to_contain_text(text)

    def explains_where_there_are_no_policies(self):
        self.goes_to("Policies")
        expect(self.page.locator("#cards")).to_contain_text("No policy goes around any call here")
        expect(self.row("#circuits", "stranger")).to_have_count(1)
        self.goes_to("Now")

    def pauses(self):
        total = self.row("#entrypoints", "till", "sell").locator("td").nth(4)
        pause = self.page.get_by_role("button", name="Pause")
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        paused = total.inner_text()
        self.page.wait_for_timeout(2500)
        assert total.inner_text() == paused
        pause.click()
        expect(total).not_to_have_text(paused)

    def reads_failures_and_a_trace(self):
        self.goes_to("Failures")
        refund = self.row("#failures-list", "till.refund")
        for text in ["no money is left <img src=x onerror", "till.refund.", "unexpected error"]:
            expect(refund).to_contain_text(text)
        refund.get_by_role("link", name="trace").click()
        expect(self.page.locator("#trace-title")).to_have_text("till/refund")
        expect(self.page.locator("#trace-content .lane .failed").first).to_be_visible()
        self.page.get_by_role("link", name="Close").click()
        expect(self.page.locator("#trace")).to_be_hidden()
        # One of a sale: the worker, its call, and the worker of that, each within the other.
        self.page.locator("#traces-list").get_by_role("link", name="till/sell").first.click()
        spans = self.page.locator("#trace-content tbody tr")
        expect(self.row("#trace-content", "ledger/note").first).to_be_visible()
        assert spans.count() >= 3
        lanes = [lane.bounding_box() for lane in self.page.locator("#trace-content .lane > span").all()]
        assert all(lane["width"] >= 2 for lane in lanes), lanes
        assert lanes[-1]["x"] >= lanes[0]["x"] and lanes[-1]["width"] <= lanes[0]["width"], lanes

    def counts_dead_letters(self):
        expect(self.page.get_by_role("navigation").get_by_role("link", name="Dead letters")).to_contain_text("(1)")
        self.goes_to("Dead letters")
        letter = self.row("#letters-list", "ledger.on_closed", "kinoko.dead-evt-till-closed--ledger.on_closed")
        expect(letter.locator("td.bad")).to_have_text("1")

    def is_for_everybody(self):
        """It can be used without a mouse, and every table says what it is."""
        self.page.keyboard.press("Tab")
        for region in self.page.locator("[role=region]").all():
            assert region.get_attribute("aria-label"), "a table without a name"
        for heading in self.page.locator("th").all():
            assert heading.get_attribute("scope") == "col"
        focused = "document.activeElement.tagName"
        self.page.locator("nav a").first.focus()
        assert self.page.evaluate(focused) == "A"
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#now")).to_be_visible()
        # The focus is not lost when what is looked at is shown anew.
        self.goes_to("Traces")
        self.page.locator("#traces-list a").first.focus()
        self.page.get_by_role("button", name="Pause").focus()
        self.page.wait_for_timeout(1500)
        assert self.page.evaluate("document.activeElement.id") == "pause"

    def has_two_grounds(self, folder):
        self.goes_to("Now")
        grounds = set()
        for scheme in ["light", "dark"]:
            self.page.emulate_media(color_scheme=scheme)
            grounds.add(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            self.page.screenshot(path=os.path.join(folder, f"live-page-{scheme}.png"), full_page=True)
        assert len(grounds) == 2, grounds


def main():
    address, token, folder = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["KINOKO_TEST_CHROMIUM"], args=ARGUMENTS)
        page = Live(browser.new_page(viewport={"width": 1280, "height": 900}), address)
        page.asks_for_the_token(token)
        page.sees_what_happens_now()
        page.explains_where_there_are_no_policies()
        page.pauses()
        page.reads_failures_and_a_trace()
        page.page.screenshot(path=os.path.join(folder, "live-page-trace.png"), full_page=True)
        page.is_safe("Ada's")
        page.counts_dead_letters()
        page.is_for_everybody()
        page.has_two_grounds(folder)
        page.is_safe("Ada's")
        browser.close()
    assert page.outside == [], f"asked for from outside: {page.outside}"
    assert page.complaints == [], f"the browser complained: {page.complaints}"


if __name__ == "__main__":
    main()
