"""What the operator decides: keys, themes, secrets, host keys; and a crash that tells no secret."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from debugtui.app import DebugTui
from debugtui.config import secrets
from debugtui.config.ask import HostKeyQuestion, SecretQuestion
from debugtui.config.load import load
from debugtui.screens.ask import HostKeyScreen, ScreenAsker, SecretScreen
from debugtui.screens.connect import ConnectScreen
from debugtui.screens.main import MainScreen
from debugtui.screens.trouble import TroubleScreen
from tests.screens.conftest import Opened
from tests.screens.test_main import bar, table

QUESTION = SecretQuestion("password of kvm-01/postgres/coach", "to watch the database coach")
KEY = HostKeyQuestion("kvm-01", "10.0.0.11:22", "ssh-ed25519", "SHA256:abc", "~/.ssh/known_hosts")


async def test_a_key_can_be_moved_and_the_key_line_says_so(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('[ui.keys]\n"main.zoom" = "f9"\n"app.pause" = "f8"\n', encoding="utf-8")
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        app._apply(load(file))
        await pilot.press("f8")
        assert "PAUSED" in bar(pilot, "header")
        await pilot.press("P")
        assert "PAUSED" in bar(pilot, "header")
        await pilot.press("5", "f9")
        assert app.screen.has_class("-zoomed")


async def test_the_theme_can_be_changed(opened: Opened) -> None:
    async with opened() as pilot:
        seen = set()
        for _ in range(4):
            await pilot.press("f2")
            seen.add(pilot.app.theme)
        assert seen == {"rampart-dark", "rampart-light", "rampart-contrast", "rampart-mono"}


async def test_without_colour_the_plain_theme_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert DebugTui().theme == "rampart-mono"


async def test_a_secret_is_kept_in_the_keyring_only_where_the_operator_says_so(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, str, str]] = []
    monkeypatch.setattr(secrets, "_keyring_set", lambda *words: kept.append(words))
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        for key, entries in (("enter", 0), ("ctrl+k", 1)):
            answer = asyncio.create_task(ScreenAsker(app).secret(replace(QUESTION, entry="debugtui/coach")))
            await pilot.pause(0.1)
            await pilot.press(*"hunter22", key)
            assert await answer == "hunter22"
            assert len(kept) == entries
    assert kept == [("debugtui", "coach", "hunter22")]


async def test_a_keyring_that_refuses_is_said_and_nothing_is_lost(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: str) -> None:
        raise RuntimeError("no backend")

    monkeypatch.setattr(secrets, "_keyring_set", refuse)
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        answer = asyncio.create_task(ScreenAsker(app).secret(replace(QUESTION, entry="debugtui/coach")))
        await pilot.pause(0.1)
        await pilot.press(*"hunter22", "ctrl+k")
        await pilot.pause(0.1)
        assert "the keyring refuses: RuntimeError" in str(app.screen.query_one("#keep").render())
        await pilot.press("enter")
        assert await answer == "hunter22"


async def test_a_secret_is_asked_for_masked_and_given_once(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        answer = asyncio.create_task(ScreenAsker(app).secret(QUESTION))
        await pilot.pause(0.1)
        assert isinstance(app.screen, SecretScreen)
        await pilot.press(*"hunter2")
        assert "hunter2" not in app.export_screenshot()
        await pilot.press("enter")
        assert await answer == "hunter2"
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize(
    ("keys", "trusted"), [(["enter"], False), (["y", "enter"], False), (["escape"], False), ([*list("trust"), "enter"], True)]
)
async def test_a_host_key_is_trusted_by_the_word_alone(opened: Opened, keys: list[str], trusted: bool) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        answer = asyncio.create_task(ScreenAsker(app).trust_host_key(KEY))
        await pilot.pause(0.1)
        assert isinstance(app.screen, HostKeyScreen)
        await pilot.press(*keys)
        assert await answer is trusted


async def test_questions_wait_for_each_other_and_for_typing_hands(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        await pilot.press("5", "slash", "a")
        asker = ScreenAsker(app)
        answers = [asyncio.create_task(asker.secret(QUESTION)), asyncio.create_task(asker.trust_host_key(KEY))]
        await pilot.pause(0.4)
        assert isinstance(app.screen, MainScreen), "a question opened over a typing operator"
        await pilot.press("enter")
        await pilot.pause(0.5)
        assert isinstance(app.screen, SecretScreen)
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert isinstance(app.screen, HostKeyScreen)
        await pilot.press("escape")
        assert await asyncio.gather(*answers) == [None, False]


async def test_a_question_that_nobody_needs_any_more_closes(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, DebugTui)
        question = asyncio.create_task(ScreenAsker(app).secret(QUESTION))
        await pilot.pause(0.1)
        question.cancel()
        await pilot.pause(0.1)
        assert isinstance(app.screen, MainScreen)


async def test_the_first_start_writes_a_configuration_for_the_chosen_host(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host kvm-07\n  HostName 10.0.0.7\n  User ops\n", encoding="utf-8")
    saved: list[bool | None] = []
    file = tmp_path / "new.toml"
    async with opened() as pilot:
        pilot.app.push_screen(ConnectScreen(file), saved.append)
        await pilot.pause(0.4)
        assert table(pilot, "hosts").cursor_key == "local"
        await pilot.press("down", "enter")
        await pilot.pause(0.4)
    assert saved == [True]
    (host,) = load(file).hosts
    assert (host.name, host.address) == ("kvm-07", "kvm-07")
    assert file.stat().st_mode & 0o077 == 0


async def test_an_address_that_is_none_is_refused_with_a_reason(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    async with opened() as pilot:
        pilot.app.push_screen(ConnectScreen(file))
        await pilot.pause(0.3)
        await pilot.press("slash")
        pilot.app.screen.query_one(Input).value = "ssh://ops:secret@host"
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert isinstance(pilot.app.screen, ConnectScreen)
        said = str(pilot.app.screen.query_one("#says").render())
        assert said
        assert "secret@" not in said
    assert not file.exists()


async def test_a_broken_configuration_names_every_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text('[[hosts]]\nname = "a"\nadress = "local"\n[ui]\nthem = "x"\n', encoding="utf-8")
    app = DebugTui(config_path=file)
    async with app.run_test(size=(100, 30)) as pilot:
        async with asyncio.timeout(10):
            while not isinstance(app.screen, TroubleScreen):
                await pilot.pause(0.05)
        text = "\n".join(str(one.render()) for one in app.screen.query("Static"))
        assert 'config.toml:3: hosts[0].adress: unknown key; did you mean "address"?' in text
        assert "config.toml:5" in text
        file.write_text('[[hosts]]\nname = "a"\naddress = "local"\nlibvirt = false\ndocker = false\n', encoding="utf-8")
        await pilot.press("r")
        async with asyncio.timeout(10):
            while app.fleet is None or not app.fleet.version:
                await pilot.pause(0.05)
        assert isinstance(app.screen, MainScreen)


async def test_a_crash_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    class Crashing(DebugTui):
        def on_key(self) -> None:
            dsn = "postgresql://ops:hunter2secret@db/coach"
            raise RuntimeError(f"cannot open {dsn}")

    app = Crashing()
    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            await pilot.press("x")
    app._print_error_renderables()
    captured = capsys.readouterr()
    assert "DebugTUI crashed (RuntimeError)" in captured.out + captured.err
    assert "hunter2secret" not in captured.out + captured.err
