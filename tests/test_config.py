"""Where settings come from, which source wins, and what a mistake in each of them says."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import msgspec
import pytest

from magneto_serge.config import Settings, load_settings
from magneto_serge.config_values import MODES, RULES
from magneto_serge.errors import ConfigError
from magneto_serge.replay.modes import Mode


@dataclasses.dataclass
class Place:
    """A folder to start from, and a way to load settings there."""

    folder: Path

    def pyproject(self, text: str, folder: str = ".") -> Path:
        """Write a pyproject.toml."""
        return self.write("pyproject.toml", f"[project]\nname = 'x'\n\n{text}", folder)

    def write(self, name: str, text: str, folder: str = ".") -> Path:
        """Write any file."""
        file = self.folder / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def load(self, environ: dict[str, str] | None = None, **overrides: object) -> Settings:
        """Load with this environment and these arguments only."""
        return load_settings(overrides, environ=environ or {}, start=self.folder)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(tmp_path)


def test_without_any_source_the_defaults_hold(place: Place) -> None:
    """Nothing said anywhere: the settings are the declared defaults."""
    assert place.load() == Settings()


def test_every_field_has_a_rule_and_every_rule_a_field() -> None:
    """What a setting accepts is written down for each field, under its name."""
    assert list(RULES) == [field.name for field in msgspec.structs.fields(Settings)]


def test_the_modes_are_those_of_the_replay_rules() -> None:
    """``mode`` accepts exactly the members of ``Mode``."""
    assert set(MODES) == {mode.value for mode in Mode}


def test_every_default_is_accepted_by_its_own_rule() -> None:
    """A user may write any default down, and gets the same settings."""
    defaults = Settings()
    given = {name: getattr(defaults, name) for name in RULES}
    assert load_settings(given, environ={}, start=Path("/nowhere")) == defaults


def test_the_file_beats_the_default(place: Place) -> None:
    """A value in [tool.magneto] is used instead of the default."""
    place.pyproject("[tool.magneto]\nport = 9000\n")
    assert place.load().port == 9000


def test_the_environment_beats_the_file(place: Place) -> None:
    """MAGNETO_PORT is used instead of the file's port."""
    place.pyproject("[tool.magneto]\nport = 9000\n")
    assert place.load({"MAGNETO_PORT": "9001"}).port == 9001


def test_arguments_beat_the_environment(place: Place) -> None:
    """An argument is used instead of MAGNETO_PORT."""
    assert place.load({"MAGNETO_PORT": "9001"}, port=9002).port == 9002


def test_the_file_is_looked_for_upwards(place: Place) -> None:
    """A folder without a file of ours inherits the nearest one above."""
    place.pyproject("[tool.magneto]\nport = 9000\n")
    below = place.folder / "a" / "b"
    below.mkdir(parents=True)
    assert load_settings({}, environ={}, start=below).port == 9000


def test_a_pyproject_without_our_table_does_not_end_the_search(place: Place) -> None:
    """Only a file that speaks of us counts as found."""
    place.pyproject("[tool.magneto]\nport = 9000\n")
    place.pyproject("[tool.other]\nport = 1\n", folder="below")
    assert load_settings({}, environ={}, start=place.folder / "below").port == 9000


def test_magneto_toml_comes_before_pyproject_in_one_folder(place: Place) -> None:
    """The file that is only about us is the more specific one."""
    place.pyproject("[tool.magneto]\nport = 9000\n")
    place.write("magneto.toml", "port = 9001\n")
    assert place.load().port == 9001


def test_a_path_in_a_file_is_relative_to_that_file(place: Place) -> None:
    """`cassette_dir = "tapes"` means the folder beside the file, wherever one starts."""
    place.write("magneto.toml", 'cassette_dir = "tapes"\n')
    below = place.folder / "below"
    below.mkdir()
    assert load_settings({}, environ={}, start=below).cassette_dir == place.folder / "tapes"


def test_a_path_in_the_environment_is_relative_to_the_current_folder(place: Place) -> None:
    """MAGNETO_CASSETTE_DIR is taken as it is."""
    assert place.load({"MAGNETO_CASSETTE_DIR": "tapes"}).cassette_dir == Path("tapes")


def test_keys_in_a_file_may_have_hyphens(place: Place) -> None:
    """`cassette-dir` and `cassette_dir` are the same key."""
    place.write("magneto.toml", "connect-timeout = 3\n")
    assert place.load().connect_timeout == 3.0


def test_lists_in_a_file_are_toml_arrays(place: Place) -> None:
    """`ignore_hosts` is an array of host names."""
    place.write("magneto.toml", 'ignore_hosts = ["localhost", "*.internal"]\n')
    assert place.load().ignore_hosts == ("localhost", "*.internal")


def test_lists_in_the_environment_are_separated_by_commas_or_spaces(place: Place) -> None:
    """Both spellings are common; both are understood."""
    environ = {"MAGNETO_IGNORE_HOSTS": "localhost, a.example  b.example"}
    assert place.load(environ).ignore_hosts == ("localhost", "a.example", "b.example")


def test_an_empty_variable_takes_back_what_the_file_said(place: Place) -> None:
    """MAGNETO_REVERSE= means "no reverse", since that setting can be none."""
    place.write("magneto.toml", 'reverse = "http://a.example"\nignore_hosts = ["x"]\n')
    settings = place.load({"MAGNETO_REVERSE": "", "MAGNETO_IGNORE_HOSTS": ""})
    assert (settings.reverse, settings.ignore_hosts) == (None, ())


def test_an_empty_variable_for_what_cannot_be_none_is_passed_over(place: Place) -> None:
    """MAGNETO_PORT= leaves the port to the next source."""
    assert place.load({"MAGNETO_PORT": ""}).port == 8888


def test_an_unknown_key_in_a_file_names_file_key_and_nearest(place: Place) -> None:
    """A misspelt key is an error that says where it is and what was probably meant."""
    file = place.pyproject("[tool.magneto]\nprot = 1\n")
    with pytest.raises(ConfigError) as caught:
        place.load()
    for part in (str(file), "[tool.magneto]", "key prot", "did you mean port?"):
        assert part in str(caught.value)


def test_an_unknown_variable_names_the_nearest(place: Place) -> None:
    """A misspelt variable is an error too: it would be passed over in silence otherwise."""
    with pytest.raises(ConfigError, match=r"MAGNETO_PROT: .*did you mean MAGNETO_PORT\?"):
        place.load({"MAGNETO_PROT": "1"})


def test_an_unknown_argument_names_the_nearest(place: Place) -> None:
    """A misspelt keyword argument is an error like any other."""
    with pytest.raises(ConfigError, match=r"argument casette_dir: .*mean cassette_dir\?"):
        place.load(casette_dir="x")


def test_an_unknown_key_like_nothing_lists_what_there_is(place: Place) -> None:
    """Without anything near, all settings are named."""
    with pytest.raises(ConfigError, match="Known settings: host, port,"):
        place.load(zzzzzz=1)


def test_the_variable_that_we_set_for_a_child_is_not_a_setting(place: Place) -> None:
    """A magneto inside `magneto record -- ...` is not confused by MAGNETO_URL."""
    assert place.load({"MAGNETO_URL": "http://127.0.0.1:1"}) == Settings()


@pytest.mark.parametrize(
    ("environ", "source"),
    [({"MAGNETO_PORT": "eighty"}, "environment variable MAGNETO_PORT"), ({}, "argument port")],
)
def test_a_wrong_value_names_setting_value_source_and_what_is_accepted(
    place: Place, environ: dict[str, str], source: str
) -> None:
    """The message is enough to mend it without the manual."""
    overrides = {} if environ else {"port": "eighty"}
    with pytest.raises(ConfigError) as caught:
        place.load(environ, **overrides)
    assert str(caught.value).startswith(f"{source}: 'eighty' cannot be used; expected a whole")


def test_a_wrong_value_in_a_file_names_the_file(place: Place) -> None:
    """TOML types are not converted: a port is a number there."""
    file = place.write("magneto.toml", 'port = "8888"\n')
    with pytest.raises(ConfigError, match=f"{file}, key port: '8888' cannot be used"):
        place.load()


def test_a_secret_is_not_repeated_in_an_error(place: Place) -> None:
    """A malformed password never reaches a log."""
    with pytest.raises(ConfigError) as caught:
        place.load({"MAGNETO_PROXY_AUTH": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "USER:PASSWORD" in str(caught.value)


def test_a_file_that_is_not_toml_is_an_error(place: Place) -> None:
    """A syntax error in the file is reported with its place."""
    file = place.write("magneto.toml", "port = \n")
    with pytest.raises(ConfigError, match=f"{file} is not valid TOML: .*line 1"):
        place.load()


def test_a_file_that_is_not_utf8_is_an_error(place: Place) -> None:
    """TOML is UTF-8 by definition."""
    (place.folder / "magneto.toml").write_bytes(b"host = '\xff'\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        place.load()


def test_a_broken_pyproject_that_never_names_us_is_not_our_business(place: Place) -> None:
    """Somebody else's syntax error does not stop the proxy."""
    place.write("pyproject.toml", "this is not TOML")
    assert place.load() == Settings()


def test_our_table_must_be_a_table(place: Place) -> None:
    """`magneto = 1` under [tool] is pointed out."""
    place.pyproject("[tool]\nmagneto = 1\n")
    with pytest.raises(ConfigError, match=r"write \[tool.magneto\]"):
        place.load()


def test_a_folder_called_magneto_toml_is_not_a_file(place: Place) -> None:
    """What cannot be a settings file is passed over."""
    (place.folder / "magneto.toml").mkdir()
    assert place.load() == Settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "build.example"])
def test_an_address_that_others_reach_needs_credentials(host: str) -> None:
    """An open proxy is refused; the message names both ways out."""
    with pytest.raises(ConfigError, match=r"proxy-auth USER:PASSWORD.*127\.0\.0\.1"):
        Settings(host=host)
    assert Settings(host=host, proxy_auth="u:p").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_credentials(host: str) -> None:
    """Only this machine reaches it."""
    assert Settings(host=host).proxy_auth is None


def test_a_reverse_proxy_may_listen_anywhere_without_credentials() -> None:
    """It leads to one upstream only, and is meant for containers."""
    assert Settings(host="0.0.0.0", reverse="http://a.example").host == "0.0.0.0"


def test_reverse_tls_needs_reverse() -> None:
    """A forward proxy speaks plain HTTP to its clients."""
    with pytest.raises(ConfigError, match="needs reverse"):
        Settings(reverse_tls=True)


def test_a_changed_copy_is_checked_as_well() -> None:
    """Settings are valid however they were made."""
    with pytest.raises(ConfigError):
        msgspec.structs.replace(Settings(), host="0.0.0.0")


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_set_before_us_leads_to_origins(place: Place, variable: str) -> None:
    """Behind a company proxy, the proxy works without being configured."""
    settings = place.load({variable: "http://proxy.example:3128", "NO_PROXY": "a.example,b"})
    assert settings.upstream_proxy == "http://proxy.example:3128"
    assert settings.no_proxy == ("a.example", "b")


def test_a_proxy_without_a_scheme_is_http(place: Place) -> None:
    """`HTTPS_PROXY=proxy:3128` is read as curl reads it."""
    assert place.load({"HTTPS_PROXY": "proxy:3128"}).upstream_proxy == "http://proxy:3128"


def test_our_own_setting_beats_the_proxy_set_before_us(place: Place) -> None:
    """An empty upstream_proxy means: dial directly."""
    environ = {"HTTPS_PROXY": "http://proxy:3128"}
    assert place.load(environ, upstream_proxy="").upstream_proxy is None
    assert place.load(environ, upstream_proxy="http://b:1").upstream_proxy == "http://b:1"


def test_a_proxy_that_we_cannot_use_is_passed_over_with_a_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """SOCKS in ALL_PROXY does not stop a replay that needs no network; it is said."""
    with caplog.at_level(logging.WARNING, logger="magneto_serge"):
        assert place.load({"ALL_PROXY": "socks5://s:1080"}).upstream_proxy is None
    assert "ALL_PROXY is set, but is not an http:// proxy" in caplog.text


def test_the_data_folder_is_the_users_unless_set(tmp_path: Path) -> None:
    """The certificate authority lives in the platform's place for user data."""
    assert Settings(data_dir=tmp_path).data_folder == tmp_path
    assert Settings().data_folder.name == "magneto-serge"


def test_without_arguments_process_environment_and_folder_are_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load_settings({})` reads os.environ and starts at the current folder."""
    place.write("magneto.toml", "port = 9000\n")
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("MAGNETO_QUIET", "yes")
    settings = load_settings({})
    assert (settings.port, settings.quiet) == (9000, True)
