"""TOML <- environment <- flags, and everything that can be wrong with them, at once and by name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync import config
from contacts_sync.errors import ConfigurationError
from contacts_sync.keys import KEYS

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


def written(home: Path, text: str) -> Path:
    path = home / "config.toml"
    path.write_text(text)
    return path


def problems(path: Path | None, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, environ=environ)
    assert caught.value.exit_code == 78
    return caught.value.message.splitlines()


def test_the_example_is_the_generated_one_and_holds_every_key() -> None:
    assert EXAMPLE.read_text() == config.example()
    for key in KEYS:
        assert f"\n{key.short} = " in EXAMPLE.read_text()


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, config.example())
    loaded, default = config.load(path, environ={}), config.load(None, environ={"CONTACTS_SYNC_CONFIG": ""})
    for section in ("google", "schedule", "sync", "daemon", "history", "health", "web", "log", "database"):
        assert getattr(loaded, section) == getattr(default, section)


def test_defaults_are_those_of_the_contract() -> None:
    loaded = config.load(None, environ={"STATE_DIRECTORY": "/var/lib/contacts-sync"})
    assert loaded.database.url == "sqlite:////var/lib/contacts-sync/contacts-sync.db"
    assert loaded.schedule.cron == "0 2 * * *"
    assert loaded.sync.backoff == tuple(timedelta(seconds=n) for n in (2, 4, 8))
    assert loaded.history.keep_failed is None


def test_the_environment_beats_the_file_and_flags_beat_both(tmp_path: Path) -> None:
    path = written(tmp_path, '[log]\nlevel = "error"\n[sync]\nworkers = 3\n')
    environ = {"CONTACTS_SYNC_LOG__LEVEL": "warning", "CONTACTS_SYNC_SYNC__BACKOFF": "1s, 2m"}
    loaded = config.load(path, environ=environ, flags={"log.level": "debug"})
    assert (loaded.log.level, loaded.sync.workers) == ("debug", 3)
    assert loaded.sync.backoff == (timedelta(seconds=1), timedelta(minutes=2))


def test_files_are_found_in_order(tmp_path: Path) -> None:
    home = tmp_path / "contacts-sync"
    home.mkdir()
    written(home, "[sync]\nworkers = 5\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert config.load(None, environ=environ).sync.workers == 5
    other = tmp_path / "other.toml"
    other.write_text("[sync]\nworkers = 6\n")
    assert config.load(None, environ={**environ, "CONTACTS_SYNC_CONFIG": str(other)}).sync.workers == 6


def test_the_key_file_is_a_credential_or_beside_the_configuration(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert config.load(path, environ={}).secrets.key_file == tmp_path / "key"
    (tmp_path / "contacts-sync.key").touch()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert config.load(path, environ=environ).secrets.key_file == tmp_path / "contacts-sync.key"


def test_all_problems_come_at_once_with_file_key_value_and_what_was_expected(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[sync]\nworkers = "many"\nread_timout = "1s"\n[daemon]\nlease = "soon"\n'
        '[schedule]\ncron = "61 * * * *"\ntimezone = "Mars/X"\n[google.endpoints]\ntoken = "http://example.com/t"\n',
    )
    said = problems(path, CONTACTS_SYNC_LOG__LEVEL="loud")
    assert len(said) == 7
    assert all(str(path) in line or "$CONTACTS_SYNC_LOG__LEVEL" in line for line in said)
    text = "\n".join(said)
    assert "unknown key 'sync.read_timout'; did you mean 'sync.read_timeout'?" in text
    assert 'sync.workers is "many", expected a whole number from 1 to 1000' in text
    assert 'daemon.lease is "soon", expected a duration such as "30s"' in text
    assert "https:// URL (http:// only on loopback)" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sync\n", "not TOML"),
        ("[sync]\nattempts = 0\n", "from 1 to 100"),
        ("[sync]\nattempts = true\n", "a whole number"),
        ("[sync]\nmass_delete_share = 1.5\n", "a number from 0 to 1"),
        ("[sync]\nmass_delete_share = nan\n", "a number from 0 to 1"),
        ('[sync]\nread_timeout = "-1s"\n', "a duration"),
        ('[sync]\nbackoff = "never"\n', "a list of durations"),
        ("[schedule]\ncatch_up = 1\n", "true or false"),
        ('[schedule]\ntimezone = ""\n', "no such time zone"),
        ('[schedule]\ncron = "0 0 31 2 *"\n', "schedule.cron"),
        ('[history]\nkeep_failed = "always"\n', '"forever"'),
        ('[web]\nlisten = "8787"\n', '"host:port"'),
        ('[web]\nlisten = "localhost:99999"\n', '"host:port"'),
        ('[web]\nlisten = "0.0.0.0:8787"\n', "expected web.password_file too"),
        ('[web]\nhosts = ["http://x"]\n', "a list of host names"),
        ('[health]\nfresh_within = "0s"\n', "from 1m to 90d"),
        ('[sync]\nworkers = "16"\n', "a whole number"),
        ('[sync]\nmass_delete_share = "0.5"\n', "a number from 0 to 1"),
        ('[sync]\nbackoff = "1s, 3s"\n', "a list of durations"),
        ('[schedule]\ncatch_up = "true"\n', "true or false"),
        ('[hooks]\non_failure = "tell me"\n', "a list of words"),
        ('[database]\nurl = "mysql://x"\n', '"sqlite:////path/to/file.db"'),
        ("workers = 3\n", "unknown key 'workers'"),
        ("[database_x]\n", "unknown key 'database_x'"),
        ("[nonsense]\n[nonsense.more]\na = 1\n", "unknown key"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in line for line in problems(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:8787", ("127.0.0.1", 8787)), ("[::1]:80", ("::1", 80)), ("localhost:0", ("localhost", 0)), ("", None)],
)
def test_where_to_listen_is_a_host_and_a_port_or_nowhere(text: str, expected: tuple[str, int] | None) -> None:
    assert config.load(None, environ={"CONTACTS_SYNC_WEB__LISTEN": text}).web.listen == expected


def test_beyond_loopback_with_a_password_is_fine() -> None:
    environ = {
        "CONTACTS_SYNC_WEB__LISTEN": "[::]:8787",
        "CONTACTS_SYNC_WEB__PASSWORD_FILE": "/run/password",
        "CONTACTS_SYNC_WEB__HOSTS": "Sync.example.com, other",
    }
    loaded = config.load(None, environ=environ).web
    assert (loaded.password_file, loaded.hosts) == (Path("/run/password"), ("sync.example.com", "other"))


def test_a_missing_or_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    assert "can't be read" in problems(tmp_path / "nothing.toml")[0]
    (tmp_path / "latin.toml").write_bytes(b'[log]\nlevel = "\xff"\n')
    assert "not UTF-8" in problems(tmp_path / "latin.toml")[0]


def test_a_file_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "[sync]\nworkers = 2\n")
    path.chmod(0o666)
    assert f"chmod o-w {path}" in problems(path)[0]


def test_an_unknown_variable_is_a_problem_but_others_of_the_product_are_not() -> None:
    assert "CONTACTS_SYNC_SYNC__WORKRS" in problems(None, CONTACTS_SYNC_SYNC__WORKRS="1")[0]
    config.load(None, environ={"CONTACTS_SYNC_TEST_PG_BIN": "/x"})


def test_a_variable_with_too_few_underscores_is_a_problem() -> None:
    (said,) = problems(None, CONTACTS_SYNC_DATABASE_URL="sqlite:////x")
    assert "did you mean 'CONTACTS_SYNC_DATABASE__URL'?" in said


def test_an_empty_table_that_is_known_is_none(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, "[google.endpoints]\n[sync]\n"), environ={}).sync.workers == 16


def test_in_the_environment_everything_is_text() -> None:
    texts = {
        "SYNC__WORKERS": "3",
        "SYNC__BACKOFF": "1s, 3s",
        "SCHEDULE__CATCH_UP": "false",
        "HOOKS__ON_CHANGE": "a 'b c'",
    }
    loaded = config.load(None, environ={f"CONTACTS_SYNC_{name}": text for name, text in texts.items()})
    assert (loaded.sync.workers, loaded.sync.backoff) == (3, (timedelta(seconds=1), timedelta(seconds=3)))
    assert (loaded.schedule.catch_up, loaded.hooks.on_change) == (False, ("a", "b c"))
    assert type(config.load(None, environ={"CONTACTS_SYNC_GOOGLE__CLIENT_ID": "x"}).google.client_id) is str


def test_who_lives_says_so_three_times_a_lease(tmp_path: Path) -> None:
    daemon = config.load(written(tmp_path, '[daemon]\nlease = "6s"\nheartbeat = "10s"\n'), environ={}).daemon
    assert daemon.heartbeat == timedelta(seconds=2)


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    path = written(tmp_path, "[google]\nclient_secret = 12345\n")
    assert "12345" not in problems(path)[0]
    loaded = config.load(None, environ={"CONTACTS_SYNC_GOOGLE__CLIENT_SECRET": "GOCSPX-abc"})
    assert "GOCSPX" not in repr(loaded)


def test_a_password_in_a_url_of_the_wrong_kind_is_not_shown(tmp_path: Path) -> None:
    path = written(tmp_path, '[database]\nurl = ["postgresql://me:canary@/x"]\n')
    assert "canary" not in problems(path)[0]


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_survives_being_written_down(number: int, unit: str) -> None:
    duration = config.parse_duration(f"{number}{unit}")
    assert config.parse_duration(config.format_duration(duration)) == duration


@given(st.text())
def test_nonsense_is_no_duration_but_never_another_error(text: str) -> None:
    try:
        assert config.parse_duration(text) >= timedelta(0)
    except ValueError as error:
        assert "a duration" in str(error)


def in_force(environ: dict[str, str], path: Path | None = None) -> dict[str, config.Setting]:
    return {one.name: one for one in config.settings_in_force(path, environ=environ, flags={"log.level": "debug"})}


def test_every_key_in_force_tells_where_it_was_set(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[sync]\nworkers = 3\nbackoff = ["1s", "90s"]\n')
    found = in_force({"CONTACTS_SYNC_SYNC__PAGE_SIZE": "7"}, file)
    assert (found["sync.workers"].value, found["sync.workers"].origin) == ("3", str(file))
    assert (found["sync.page_size"].value, found["sync.page_size"].origin) == ("7", "$CONTACTS_SYNC_SYNC__PAGE_SIZE")
    assert (found["log.level"].value, found["log.level"].origin) == ("debug", "command line")
    assert (found["sync.run_deadline"].value, found["sync.run_deadline"].origin) == ("30m", "default")
    assert found["sync.backoff"].value == "1s, 90s"
    assert (found["web.listen"].value, found["web.hosts"].value) == ("127.0.0.1:8787", "")
    assert found["history.keep_failed"].value == "forever"
    assert found["secrets.key_file"].value == str(tmp_path / "key")
    assert found.keys() == {key.name for key in KEYS}


def test_no_secret_is_shown() -> None:
    found = in_force(
        {
            "CONTACTS_SYNC_GOOGLE__CLIENT_SECRET": "canary",
            "CONTACTS_SYNC_DATABASE__URL": "postgresql://me:canary@db.example/x",
            "CONTACTS_SYNC_GOOGLE__ENDPOINTS__PROXY": "http://me:canary@proxy:3128",
        }
    )
    assert not [one for one in found.values() if "canary" in one.value]
    assert found["database.url"].value == "postgresql://me:***@db.example/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:can/ary@db.example/x", "postgresql://me:***@db.example/x"),
        (
            "postgresql://db.example/x?user=me&password=canary&port=1",
            "postgresql://db.example/x?user=me&password=***&port=1",
        ),
        ("postgresql://db.example/x?sslpassword=canary", "postgresql://db.example/x?sslpassword=***"),
        ("postgresql://me@db.example/x", "postgresql://me@db.example/x"),
    ],
)
def test_a_password_is_masked_wherever_a_url_may_have_it(url: str, shown: str) -> None:
    assert in_force({"CONTACTS_SYNC_DATABASE__URL": url})["database.url"].value == shown
