import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.keys import _character_to_key

from debugtui.config.keymap import canonical_key, canonical_keys, effective_keys, key_faults
from debugtui.config.models import UiConfig
from debugtui.model.actions import ACTIONS


def faults(**keys):
    return list(key_faults({name.replace("__", "."): text for name, text in keys.items()}))


def test_the_defaults_have_no_fault():
    assert list(key_faults({action.id: action.keys for action in ACTIONS})) == []


@pytest.mark.parametrize("character", string.punctuation + " " + string.ascii_letters + string.digits)
def test_characters_have_the_names_of_the_toolkit(character):
    assert canonical_key(character) == _character_to_key(character)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("shift+g", "G"),
        ("Ctrl+R", "ctrl+r"),
        ("shift+f5", "shift+f5"),
        ("alt+x", "alt+x"),
        ("ctrl + up", "ctrl+up"),
        ("ESC", None),
        ("ctrl+h", None),
        ("ctrl+m", None),
        ("ctrl+i", None),
        ("alt+enter", None),
        ("shift+enter", None),
        ("ctrl+tab", None),
        ("ctrl+c", None),
        ("ctrl+shift+a", None),
        ("super+a", None),
        ("f25", None),
        ("", None),
        ("++", None),
        ("nonsense", None),
        ("pageup", "pageup"),
    ],
)
def test_keys(text, key):
    if key is None:
        with pytest.raises(ValueError):  # noqa: PT011 # the words are tested below
            canonical_key(text)
    else:
        assert canonical_key(text) == key


def test_faults_name_the_action_and_the_nearest_word():
    assert faults(app__qiut="x") == [("app.qiut", "unknown action", "app.quit")]
    assert faults(app__quit="spce") == [("app.quit", '"spce" is no key', "space")]
    assert faults(app__quit="ctrl+m") == [("app.quit", '"ctrl+m" arrives as enter', None)]
    assert "needs a key" in faults(app__quit=" ")[0][1]
    assert "needs a key" in faults(app__quit=",")[0][1]


def test_a_key_means_one_thing_where_scopes_meet():
    assert faults(main__zoom="h") == [("main.zoom", '"h" is a key of main.zoom_host already', None)]
    assert faults(table__sort="r") == [("table.sort", '"r" is a key of app.read_now already', None)]
    assert faults(main__zoom="h", main__zoom_host="z") == []
    assert faults(log__search="s") == []  # tables sort by it, but no table is on a log


def test_the_model_holds_the_names_of_the_toolkit():
    assert UiConfig(keys={"app.pause": "shift+p"}).keys == {"app.pause": "P"}
    assert UiConfig(keys={"log.search": "%, ctrl+F"}).keys == {"log.search": "percent_sign,ctrl+f"}
    with pytest.raises(ValueError, match="unknown action"):
        UiConfig(keys={"nope": "x"})


def test_effective_keys_are_those_of_the_operator_or_the_default():
    keys = effective_keys({"app.pause": "P,p"})
    assert keys["app.pause"] == ("P", "p")
    assert keys["app.quit"] == ("ctrl+q",)


@given(
    st.dictionaries(st.sampled_from([action.id for action in ACTIONS]) | st.text(max_size=5), st.text(max_size=12), max_size=4)
)
def test_any_key_map_is_refused_or_canonical(keys):
    if not list(key_faults(keys)):
        assert all(canonical_keys(",".join(canonical_keys(text))) == canonical_keys(text) for text in keys.values())
