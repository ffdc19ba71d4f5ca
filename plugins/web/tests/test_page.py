"""The page in real Chromium."""

from __future__ import annotations

import threading

import outcome
import pytest
import trio
from browser import browser

CARD = "return document.querySelector('[data-instance=VI_1]')?.dataset.state"
NOISE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
"""What a browser says of a server that is gone, which is what the test does to it."""

STICKING_OUT = """
const all = [...document.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > WIDTH);
const wide = document.documentElement.scrollWidth;
return wide > WIDTH ? [wide, ...all.map((each) => each.outerHTML.slice(0, 60))] : [];
"""


def text(tab, selector):
    return tab.run(f"return document.querySelector({selector!r}).innerText")


def in_daemon(house, function, *arguments, **keywords):
    trio.from_thread.run_sync(lambda: function(*arguments, **keywords), trio_token=house.token)


def what_it_shows(tab, house):
    tab.until(CARD, lambda state: state == "MASTER")
    assert tab.run("return document.title") == "MASTER | lb1 | hafw"
    assert "192.0.2.51 bound" in text(tab, "[data-instance=VI_1]")
    assert "nginx ✓ ok" in text(tab, "[data-instance=VI_1]")


def how_it_follows(tab, house):
    tab.run("window.notReloaded = true")
    in_daemon(house, house.verdict, healthy=False)
    tab.until(CARD, lambda state: state == "FAULT")
    assert "connection refused" in text(tab, "[data-instance=VI_1]")
    tab.until("return document.getElementById('spoken').textContent", lambda said: said == "VI_1 is FAULT")
    tab.until("return document.querySelectorAll('#timeline .span.FAULT').length")
    assert "check_changed" in text(tab, "#events")
    in_daemon(house, house.say, "split_brain", instance="VI_2", peer="<img src=x onerror=alert(1)>")
    tab.until("return document.querySelectorAll('#timeline .mark').length")
    assert "<img src=x" in text(tab, "#events"), "what others say is text"
    assert tab.run("return document.querySelectorAll('#events img').length") == 0
    assert tab.run("return window.notReloaded"), "all of this without loading it again"


def how_it_fits(tab, house):
    for width, scheme in ((1280, "dark"), (390, "dark"), (320, "light")):
        tab.look_like(width, 900, scheme)
        tab.until(STICKING_OUT.replace("WIDTH", str(width)), lambda found: not found)
        background = tab.run("return getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")
    unnamed = "return [...document.querySelectorAll('button, a, svg, table th')].filter((each) => "
    unnamed += "!each.textContent.trim() && !each.getAttribute('aria-label')).length"
    assert tab.run(unnamed) == 0, "everything has a name for those who do not see it"
    assert "VI_1: " in tab.run("return document.querySelector('#timeline svg').getAttribute('aria-label')")
    tab.run("document.querySelector('details').open = true")
    assert "FAULT" in text(tab, "#transitions"), "the picture as a table"


def when_it_knows_nothing(tab, house):
    house.silent = True
    tab.until(CARD, lambda state: state == "UNKNOWN")
    assert "was FAULT when last heard" in text(tab, "[data-instance=VI_1]")
    assert "The daemon did not answer within 2s" in text(tab, "#notices")
    assert "UNKNOWN" in tab.run("return document.title")
    house.silent = False
    tab.until(CARD, lambda state: state == "FAULT")


async def in_a_new_thread(call, *arguments):
    """trio keeps threads for a while, and one that another test made in a network of its own does not see this one."""
    done, results, token = trio.Event(), [], trio.lowlevel.current_trio_token()

    def run():
        results.append(outcome.capture(call, *arguments))
        token.run_sync_soon(done.set)

    threading.Thread(target=run, daemon=True).start()
    await done.wait()
    return results[0].unwrap()


@pytest.mark.peer("chromium-driver")
async def test_the_page_shows_what_is_follows_it_without_reload_and_knows_when_it_knows_nothing(open_site, house):
    house.start()
    house.token = trio.lowlevel.current_trio_token()

    def look(tab, url):
        tab.look_like(1280, 900, "light")
        tab.open(url)
        for part in (what_it_shows, how_it_follows, how_it_fits, when_it_knows_nothing):
            part(tab, house)
        assert tab.console() == []

    def look_again(tab, url):
        tab.until(CARD, lambda state: state == "UNKNOWN")
        assert text(tab, "#line") == "no connection to hafw"
        assert [each for each in tab.console() if not any(noise in each for noise in NOISE)] == []
        asked = [each for each in tab.requests() if each.startswith("http")]
        assert len(asked) > 5
        assert [each for each in asked if not each.startswith(url)] == [], "no request leaves the host"

    chromium = browser()
    tab = await in_a_new_thread(chromium.__enter__)
    try:
        async with open_site(house) as site:
            url = f"http://127.0.0.1:{site.place.port}/"
            await in_a_new_thread(look, tab, url)
        await in_a_new_thread(look_again, tab, url)
    finally:
        await in_a_new_thread(chromium.__exit__, None, None, None)
