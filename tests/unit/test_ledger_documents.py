"""Documents that are trusted, and all those that aren't."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from neps._api.plain_data import plain_data
from neps._ledger.documents import UnreadableDocumentError, decode, encode, load, now
from neps._ledger.fields import moment, whole
from neps._ledger.foreign import END_MARKER

GOOD = encode({"a": 1})


def why(content: bytes) -> UnreadableDocumentError:
    with pytest.raises(UnreadableDocumentError) as caught:
        decode("there.yaml", content)
    assert str(caught.value).startswith("there.yaml: ")
    return caught.value


class TestDecode:
    @pytest.mark.parametrize("length", range(len(GOOD)))
    def test_each_part_of_a_document_is_torn(self, length: int) -> None:
        assert "no end marker" in why(GOOD[:length]).why

    @pytest.mark.parametrize("content", [b"\0" * 40, GOOD[:8] + b"\0" * (len(GOOD) - 8), b"\0\0" + GOOD])
    def test_zero_filled(self, content: bytes) -> None:
        error = why(content)
        assert "no end marker" in error.why
        assert not error.lasting

    @pytest.mark.parametrize("content", [b"- 1\n...\n", b"just text\n...\n", b"null\n...\n"])
    def test_not_a_mapping(self, content: bytes) -> None:
        assert why(content).why == "it is not a mapping"

    @pytest.mark.parametrize(
        "content",
        [
            b"a: [1\n...\n",
            b"\xff\xfe\xfd: 1\n...\n",
            b"a: 2020-13-45\n...\n",
        ],
        ids=["open", "bytes", "date"],
    )
    def test_not_yaml(self, content: bytes) -> None:
        error = why(content)
        assert "it is not YAML" in error.why
        assert not error.lasting

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"a: !!python/object/apply:os.system ['true']\n", "a tag"),
            (b"a: !!float 1\n", "a tag"),
            (b"a: &a [1]\n", "an anchor"),
            (b"a: &a x\n", "an anchor"),
            (b"a: *a\n", "an alias"),
            (b"<<: {a: 1}\n", "a merge key"),
            (b"a: =\n", "no known kind"),
            (b"? [1]\n: 2\n", "a key that is no scalar"),
            (b"%d: 2\n" % 2**65, "a number for a key"),
            (b"a: " + b"[" * 500 + b"]" * 500 + b"\n", "nested more than 64 deep"),
            (b"- " * 500 + b"1\n", "nested more than 64 deep"),
            (b"a: [" + b"0," * 500_000 + b"]\n", "more than 500000 values"),
            (b"--- 1\n...\n--- 2\n", "more than one document"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_yaml_that_no_document_has_is_damaged_at_once(self, content: bytes, what: str) -> None:
        error = why(content.rstrip(b"\n") + END_MARKER)
        assert what in error.why
        assert error.lasting

    @pytest.mark.parametrize(
        "content", [b"x" * 10**6, b"9" * 900, b"[" + b"[1, 2]," * 10**4 + b"]", b"'\x1b[2J" + b"'"]
    )
    def test_no_foreign_value_is_shown_whole(self, content: bytes) -> None:
        shown = why(b"format_version: " + content + END_MARKER).why
        assert len(shown) < 200
        assert shown.isprintable()

    def test_newer_version_lasts(self) -> None:
        error = why(b"format_version: 2\nloss: 1\n...\n")
        assert error.lasting
        assert error.why == "it has format version 2, and this neps knows versions up to 1"

    @pytest.mark.parametrize("version", ["null", "'1'", "0", "one", "-1"])
    def test_no_version(self, version: str) -> None:
        error = why(f"format_version: {version}\n...\n".encode())
        assert "format_version" in error.why
        assert not error.lasting


class TestEncode:
    def test_none_is_absent(self) -> None:
        assert encode({"a": None, "b": {"c": None}}) == b"format_version: 1\nb:\n  c: null\n...\n"

    def test_values_of_the_user_stay(self) -> None:
        assert encode({"a": None, "b": "é"}, versioned=False) == "a: null\nb: é\n...\n".encode()

    @pytest.mark.parametrize(
        "value",
        [
            *(
                "no",
                "NO",
                "off",
                "y",
                "null",
                "~",
                "1",
                "0x10",
                "1_000",
                "1e3",
                "12:30:45",
                "2020-01-01",
                ".nan",
                "=",
                "<<",
            ),
            *(
                "",
                " ",
                "a: b",
                "# c",
                "- d",
                "...",
                "---",
                "\n...\n",
                "a\n...\n",
                "é",
                "日本",
                "\u2028",
                "\x85",
                "\ufeff",
            ),
            *("\t", "'", '"', "\\", "%", "@", "`", "!tag", "&a", "*a", "a" * 5000, "x " * 500),
            *(0, -1, 10**30, True, False, None, 0.1, 1e-300, 1e300, 5e-324, -0.0, float("inf"), float("-inf"), 1e16),
        ],
    )
    def test_round_trip(self, value: Any) -> None:
        read = decode("a", encode({"config": {"x": value}, "list": [value]}))
        assert repr(read["config"]["x"]) == repr(value)
        assert repr(read["list"]) == repr([value])

    @pytest.mark.parametrize("text", ["1e3", "1E5", "12e45", "-1e-5", "-.5", "+.5", ".5e1", "0o17", "010", "1:30", "~"])
    def test_a_text_is_one_in_both_versions_of_yaml(self, text: str) -> None:
        """Users' files are read by version 1.2, and a trial's config.yaml may be one."""
        for written in (encode({"x": text, "y": [text]}).decode(), encode({"x": 1.0, text: text}).decode()):
            assert text in yaml.safe_load(written).values() or yaml.safe_load(written)["x"] == text
            read = plain_data(written, ".yaml")
            assert text in {read.get("x"), read.get(text)}

    def test_nan(self) -> None:
        read = decode("a", encode({"loss": float("nan")}))
        assert repr(read["loss"]) == "nan"


class TestLoad:
    def test_absent(self, tmp_path: Path) -> None:
        assert load(f"{tmp_path}/a") is None

    def test_there(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(GOOD)
        assert load(f"{tmp_path}/a") == {"format_version": 1, "a": 1}

    def test_folder_in_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableDocumentError, match="a folder stands in its place") as caught:
            load(str(tmp_path))
        assert caught.value.lasting

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: str) -> bytes:
            raise PermissionError

        monkeypatch.setattr("neps._ledger.documents.read", refuse)
        with pytest.raises(UnreadableDocumentError, match="no permission") as caught:
            load(str(tmp_path))
        assert not caught.value.lasting


class TestScalars:
    def test_time_is_utc(self) -> None:
        read = moment(now())
        assert read is not None
        assert read.utcoffset() == dt.timedelta(0)

    def test_time_that_yaml_has_read_as_one(self) -> None:
        read = moment(decode("a", b"format_version: 1\ntime: 2024-05-01T10:00:00.5+00:00\n...\n")["time"])
        assert read == dt.datetime(2024, 5, 1, 10, 0, 0, 500_000, dt.UTC)

    @pytest.mark.parametrize("value", [True, 1.0, "1", None])
    def test_not_whole(self, value: object) -> None:
        with pytest.raises(ValueError, match="not a whole number"):
            whole(value)

    @pytest.mark.parametrize("value", [-1, 11, 10**5000], ids=["below", "above", "huge"])
    def test_out_of_range(self, value: int) -> None:
        with pytest.raises(ValueError, match="not between 0 and 10"):
            whole(value, most=10)
