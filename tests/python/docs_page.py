"""Opens the docs page of a program in headless Chromium, reads it and sends from it.

    docs_page.py ADDRESS SCREENSHOT

The browser finds no host but the program's own, and any request that asks for one fails the run. The program is the one of
tests/documents/library.rs, in development mode. KINOKO_TEST_CHROMIUM names the browser.
"""

import json
import os
import sys

from playwright.sync_api import expect, sync_playwright

# Chromium itself asks for updates and the like otherwise; and its sandbox does not start for root.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Page:
    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.outside = []
        self.complaints = []
        page.context.route("**/*", self.guard)
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def note(self, message):
        # The picture of a doc comment has an event handler. That it is refused is what `is_safe` is about.
        if message.type == "error" and "inline event handler" not in message.text:
            self.complaints.append(message.text)

    def guard(self, route):
        if route.request.url.startswith((self.address + "/", "data:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self):
        self.page.goto(f"{self.address}/docs")
        expect(self.page.locator("details.entry").first).to_be_visible()
        expect(self.page.locator(".opblock").first).to_be_visible()

    def reads(self):
        """What each section says, by its heading."""
        for section, texts in {
            "rpc": ["library", "lend", "(id: integer, reader: string, days?: integer) → Loan", "Lends a book.", "LENT_OUT"],
            "websockets": ["get", "(id: integer) → Book", "NO_BOOK", "/api/ws"],
            "events": ["library: acquired (dispatched)", "on_returned", "readers: returned", "evt-readers-returned--library.on_returned"],
            "queues": ["on_gift", "gifts"],
            "timers": ["remind", "0 6 * * * Europe/Berlin", "in one instance of all"],
        }.items():
            place = self.page.locator(f"section#{section}")
            for entry in place.locator("details.entry > summary").all():
                entry.click()
            for text in texts:
                expect(place).to_contain_text(text)

    def sends_a_request(self):
        operation = self.page.locator(".opblock", has_text="/books/{id}").filter(has_text="Looks a book up").first
        operation.locator(".opblock-summary-control").click()
        operation.locator("tr[data-param-name=id] input").fill("1")
        operation.locator("button.execute").click()
        live = operation.locator(".live-responses-table")
        expect(live.locator(".response-col_status").last).to_contain_text("200")
        expect(live).to_contain_text("The Left Hand of Darkness")

    def calls(self):
        form = self.page.locator("[id='rpc.library.get'] form.send")
        form.get_by_label("Arguments").fill(json.dumps({"id": 1}))
        form.get_by_role("button", name="Call").click()
        expect(form.locator(".answer pre")).to_contain_text("The Left Hand of Darkness")

    def is_told_the_error(self):
        form = self.page.locator("[id='rpc.library.lend'] form.send")
        answer = form.locator(".answer")
        form.get_by_label("Arguments").fill(json.dumps({"id": 1, "reader": "Ada"}))
        form.get_by_role("button", name="Call").click()
        expect(answer).to_contain_text("Result after")
        expect(answer.locator("pre")).to_contain_text('"reader": "Ada"')
        # Nobody else has it now: the error comes with its code and its fields.
        form.get_by_role("button", name="Call").click()
        expect(answer).to_contain_text("LENT_OUT after")
        expect(answer.locator("pre")).to_contain_text('"to": "Ada"')
        form.get_by_label("Arguments").fill("{")
        form.get_by_role("button", name="Call").click()
        expect(answer).to_contain_text("no JSON")

    def dispatches(self):
        form = self.page.locator("[id='event.library.on_returned'] form.send")
        form.get_by_label("Payload").fill(json.dumps({"book": 1}))
        form.get_by_role("button", name="Dispatch").click()
        expect(form.locator(".answer")).to_contain_text("Dispatched in")
        expect(form.locator(".answer")).not_to_contain_text("nobody")

    def is_safe(self):
        """Nothing of a doc comment has become HTML, and each field has a label."""
        assert self.page.evaluate("window.hacked") is None, "a script of a doc comment ran"
        assert self.page.locator("main .entry img").count() == 0, "a doc comment became HTML"
        assert self.page.locator("[onerror]").count() == 0, "Swagger UI lets an event handler through"
        for field in self.page.locator("form.send input, form.send textarea").all():
            assert field.evaluate("field => field.labels.length") == 1, "a field without a label"


def main():
    address, screenshot = sys.argv[1:]
    with sync_playwright() as playwright:
        chromium = os.environ["KINOKO_TEST_CHROMIUM"]
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = Page(browser.new_page(viewport={"width": 1200, "height": 900}), address)
        page.open()
        page.reads()
        page.sends_a_request()
        page.calls()
        page.is_told_the_error()
        page.dispatches()
        page.is_safe()
        page.page.screenshot(path=screenshot, full_page=True)
        browser.close()
    assert page.outside == [], f"asked for from outside: {page.outside}"
    assert page.complaints == [], f"the browser complained: {page.complaints}"


if __name__ == "__main__":
    main()
