"""Opens the operations page of a program in headless Chromium, finds a saga that is parked and retries it.

    operations_page.py ADDRESS TOKEN ID INPUT SCREENSHOT

The browser finds no host but the program's own, and any request that asks for one fails the run. The program is the one of
tests/documents/operations.rs. KINOKO_TEST_CHROMIUM names the browser.
"""

import os
import sys

from playwright.sync_api import expect, sync_playwright

from docs_page import ARGUMENTS


class Operations:
    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.outside = []
        self.complaints = []
        self.refusals = 0
        page.context.route("**/*", self.guard)
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def note(self, message):
        # Chromium says of each answer that is an error that there was one; a wrong token is tried on purpose.
        if message.type == "error" and "401 (Unauthorized)" in message.text:
            self.refusals += 1
        elif message.type == "error":
            self.complaints.append(message.text)

    def guard(self, route):
        if route.request.url.startswith(self.address + "/"):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def asks_for_the_token(self, token):
        self.page.goto(f"{self.address}/operations#sagas")
        field = self.page.get_by_label("Token")
        expect(field).to_be_visible()
        expect(self.page.locator("#all")).to_be_hidden()
        self.give("a token of strangers")
        expect(self.page.locator("#problem")).to_contain_text("it needs the token")
        expect(self.page.locator("#all")).to_be_hidden()
        assert self.refusals > 0
        self.give(token)
        expect(self.page.locator("#all")).to_be_visible()
        expect(field).to_be_hidden()
        expect(self.page.locator("#problem")).to_be_hidden()
        # The tab keeps it.
        self.page.reload()
        expect(self.page.locator("#all")).to_be_visible()
        expect(field).to_be_hidden()

    def give(self, token):
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Show operations").click()

    def lists(self, id):
        parked = self.page.locator("#parked")
        expect(parked.get_by_role("heading")).to_have_text("Parked: 1")
        expect(parked.locator("tbody tr")).to_have_count(1)
        for text in [f"deliver/{id}", "post", "send", "does not live here"]:
            expect(parked).to_contain_text(text)
        rows = self.page.locator("#list tbody tr")
        older = self.page.get_by_role("button", name="Older")
        newer = self.page.get_by_role("button", name="Newer")
        expect(rows).to_have_count(50)
        expect(rows.first).to_contain_text("deliver/letter-59")
        expect(newer).to_be_disabled()
        older.click()
        expect(rows).to_have_count(11)
        expect(rows.last.locator(".state.parked")).to_have_text("parked")
        expect(older).to_be_disabled()
        newer.click()
        expect(rows).to_have_count(50)
        self.choose("parked")
        expect(rows).to_have_count(1)
        self.choose("compensated")
        expect(self.page.locator("#list")).to_have_text("None.")
        self.choose("")
        expect(rows).to_have_count(50)

    def choose(self, state):
        self.page.get_by_label("State").select_option(state)
        self.page.get_by_role("button", name="Show", exact=True).click()

    def opens_a_timeline(self, id):
        self.page.locator("#parked").get_by_role("link").click()
        one = self.page.locator("#one")
        expect(one.get_by_role("heading", level=2)).to_have_text(f"deliver/{id}")
        for text in ["begun", "pack", "failed", "Unknown: <img src=x onerror", "parked"]:
            expect(one).to_contain_text(text)
        expect(one.get_by_role("button", name="Retry")).to_be_visible()
        # It is parked at a step after its pivot.
        expect(one.get_by_role("button", name="Skip")).to_have_count(0)
        expect(one.get_by_role("button", name="Cancel")).to_have_count(0)

    def retries(self):
        one, dialog = self.page.locator("#one"), self.page.locator("dialog")
        one.get_by_role("button", name="Retry").click()
        expect(dialog).to_contain_text("Try again what deliver/")
        dialog.get_by_role("button", name="Leave it").click()
        expect(dialog).to_be_hidden()
        expect(one.locator(".state")).to_have_text("parked")
        one.get_by_role("button", name="Retry").click()
        dialog.get_by_role("button", name="Retry").click()
        expect(one.locator(".state")).to_have_text("completed")
        expect(one).to_contain_text("resumed")
        expect(one.get_by_role("button")).to_have_count(0)
        expect(self.page.locator("#parked")).to_contain_text("None.")
        one.get_by_role("link", name="Close").click()
        expect(one).to_be_hidden()

    def is_safe(self, input):
        """Nothing that a saga is called or says has become HTML, nothing of what it is about is there, and each field has a label."""
        assert self.page.evaluate("window.hacked") is None, "a script of an error ran"
        assert self.page.locator("main img, main b").count() == 0, "a text became HTML"
        assert input not in self.page.content(), "the input is shown"
        for field in self.page.locator("input, select").all():
            assert field.evaluate("field => field.labels.length") == 1, "a field without a label"


def main():
    address, token, id, input, screenshot = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["KINOKO_TEST_CHROMIUM"], args=ARGUMENTS)
        page = Operations(browser.new_page(viewport={"width": 1200, "height": 900}), address)
        page.asks_for_the_token(token)
        page.lists(id)
        page.opens_a_timeline(id)
        page.page.screenshot(path=screenshot, full_page=True)
        page.is_safe(input)
        page.retries()
        page.is_safe(input)
        browser.close()
    assert page.outside == [], f"asked for from outside: {page.outside}"
    assert page.complaints == [], f"the browser complained: {page.complaints}"


if __name__ == "__main__":
    main()
