"""A home asks each question once: kept answers, one asker for many, a pace for each service."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.fake_site import Answer, fake_site
from tools.web.services import shared_folder
from tools.web.services.asking import Asking, ServiceAnswer
from tools.web.services.request import BadQuery, ServiceError, ServiceRequest, TooManyRequests
from tools.web.services.shared_folder import KeptAnswer, SharedFolder


@dataclass
class Counted:
    """A service that counts how often it is asked."""

    name: str = "counted"
    title: str = "Counted"
    pace: float = 0.0
    refusals: Mapping[int, str] = field(default_factory=dict)
    fails: list[ServiceError] = field(default_factory=list)
    seconds: float = 0.05
    times: list[float] = field(default_factory=list)

    async def fetch(self) -> bytes:
        self.times.append(time.monotonic())
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise self.fails.pop(0)
        return b"answer %d" % len(self.times)


def question(words: str = "x") -> ServiceRequest:
    return ServiceRequest("http://s.test/", {"q": words}, headers={"key": "secret"})


def whole(body: bytes) -> str:
    return body.decode()


async def ask(folder: Path | None, service: Counted, words: str = "x") -> ServiceAnswer[str]:
    return await Asking(folder).ask(service, question(words), whole, service.fetch)


async def test_a_question_is_asked_once_and_the_time_of_the_answer_kept(tmp_path: Path) -> None:
    service = Counted()
    first = await ask(tmp_path, service)
    again = await ask(tmp_path, service)
    assert (first.found, first.is_kept) == ("answer 1", False)
    assert (again.found, again.is_kept, again.time) == ("answer 1", True, first.time)
    assert (await ask(tmp_path, service, "y")).found == "answer 2"
    assert len(service.times) == 2


async def test_nothing_is_shared_without_a_folder() -> None:
    service = Counted()
    await ask(None, service)
    assert (await ask(None, service)).found == "answer 2"


async def test_an_old_answer_is_asked_for_again(tmp_path: Path) -> None:
    SharedFolder(tmp_path).keep(question().key, KeptAnswer(time.time() - 25 * 3600, b"old"))
    assert (await ask(tmp_path, Counted())).found == "answer 1"


async def test_many_that_ask_at_once_are_one_question(tmp_path: Path) -> None:
    service = Counted(seconds=0.2)
    answers = await asyncio.gather(*(ask(tmp_path, service) for _ in range(32)))
    assert {one.found for one in answers} == {"answer 1"}
    assert sum(not one.is_kept for one in answers) == 1


ASKS = """
import asyncio, sys
from pathlib import Path
from tools.web.services.asking import Asking
from tools.web.search_providers.searxng import SearxngProvider
from tools.web.search import Search

async def main():
    provider = SearxngProvider(sys.argv[1])
    search = Search("lighthouse", 5)
    asking = Asking(Path(sys.argv[2]))
    asked = [asking.ask(provider, provider.request(search), provider.read) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    print(sum(not one.is_kept for one in answers), answers[0].found[0].title)

asyncio.run(main())
"""


def test_processes_ask_one_question_once(tmp_path: Path) -> None:
    with fake_site() as site:
        found = {"results": [{"title": "T", "url": "u", "content": "c"}]}
        body = json.dumps(found).encode()
        site.pages["/search"] = Answer(body, "application/json", silence=1.0)
        command = [sys.executable, "-c", ASKS, f"http://127.0.0.1:{site.port}", str(tmp_path)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        said = [one.communicate(timeout=60)[0] for one in running]
    assert len(site.requests) == 1
    assert sorted(said) == ["0 T\n", "0 T\n", "0 T\n", "1 T\n"]


async def test_a_failure_is_shared_with_those_that_wait_and_nobody_later(tmp_path: Path) -> None:
    service = Counted(fails=[ServiceError("It is down.")], seconds=0.2)
    asked = [ask(tmp_path, service) for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {str(one) for one in answers} == {"It is down."}
    assert len(service.times) == 1
    assert (await ask(tmp_path, service)).found == "answer 2"


async def test_a_query_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    service = Counted(fails=[BadQuery("Too long.")])
    with pytest.raises(BadQuery):
        await ask(tmp_path, service)
    assert not SharedFolder(tmp_path).find(question().key)


async def test_an_answer_that_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    def unreadable(body: bytes) -> str:
        raise ServiceError("It is not JSON.")

    service = Counted()
    with pytest.raises(ServiceError):
        await Asking(tmp_path).ask(service, question(), unreadable, service.fetch)
    assert (await ask(tmp_path, service)).found == "answer 2"


async def test_a_service_is_asked_at_its_pace_by_everybody(tmp_path: Path) -> None:
    service = Counted(pace=0.2, seconds=0.0)
    await asyncio.gather(*(ask(tmp_path, service, str(number)) for number in range(4)))
    gaps = [after - before for before, after in zip(service.times, service.times[1:], strict=False)]
    assert min(gaps) > 0.15


async def test_who_asks_for_fewer_requests_is_waited_for_once(tmp_path: Path) -> None:
    service = Counted(fails=[TooManyRequests("Wait.", 0.3)], seconds=0.0)
    assert (await ask(tmp_path, service)).found == "answer 2"
    assert service.times[1] - service.times[0] > 0.25


async def test_a_long_wait_is_said_and_kept_for_others(tmp_path: Path) -> None:
    service = Counted(fails=[TooManyRequests("Wait.", 1000.0)], seconds=0.0)
    with pytest.raises(TooManyRequests):
        await ask(tmp_path, service)
    with pytest.raises(ServiceError, match=r"counted can be asked again in (999|1000) s"):
        await ask(tmp_path, service, "another")
    assert len(service.times) == 1


@pytest.mark.parametrize("text", [b"", b"x", b"nan", b"1e308", b"-5", b"inf", b"9" * 64])
async def test_a_pace_that_cannot_be_right_holds_nobody_up(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "pace").mkdir()
    (tmp_path / "pace" / "counted").write_bytes(text)
    assert (await ask(tmp_path, Counted())).found == "answer 1"


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{}\n",
        b"not json\nx",
        b'{"time": 1e99, "failure": ""}\n',
        b'{"time": NOW, "failure": ""}\nnot packed',
    ],
)
async def test_a_damaged_answer_is_asked_for_again(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "answers").mkdir()
    now = str(int(time.time())).encode()
    (tmp_path / "answers" / question().key).write_bytes(kept.replace(b"NOW", now))
    assert (await ask(tmp_path, Counted())).found == "answer 1"


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "web", tmp_path / "elsewhere"
    SharedFolder(folder).keep(question().key, KeptAnswer(time.time(), b"planted"))
    os.replace(folder / "answers" / question().key, elsewhere)
    (folder / "answers" / question().key).symlink_to(elsewhere)
    assert (await ask(folder, Counted())).found == "answer 1"


@pytest.mark.hostile
@pytest.mark.parametrize("link", ["web", "web/answers"])
async def test_nothing_is_deleted_or_written_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.setattr(shared_folder, "MOST_ANSWERS", 1)
    elsewhere = tmp_path / "elsewhere"
    for folder in (elsewhere, elsewhere / "answers"):
        folder.mkdir()
        for number in range(3):
            (folder / f"thesis-{number}").write_text("mine")
    before = sorted(elsewhere.rglob("*"))
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(elsewhere)
    assert (await ask(tmp_path / "web", Counted())).found == "answer 1"
    assert sorted(elsewhere.rglob("*")) == before


async def test_a_folder_that_cannot_be_written_costs_no_question(tmp_path: Path) -> None:
    (tmp_path / "web").write_text("a file")
    service = Counted()
    assert (await ask(tmp_path / "web", service)).found == "answer 1"
    assert (await ask(tmp_path / "web", service)).found == "answer 2"


def test_no_secret_is_kept(tmp_path: Path) -> None:
    asyncio.run(ask(tmp_path, Counted()))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"secret" in path.read_bytes() for path in files)


def test_the_oldest_answers_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_folder, "MOST_ANSWERS", 3)
    shared = SharedFolder(tmp_path)
    for number in range(6):
        shared.keep(f"{number:064}", KeptAnswer(time.time(), b"x"))
        os.utime(tmp_path / "answers" / f"{number:064}", (number, number))
    assert {path.name[-1] for path in (tmp_path / "answers").iterdir()} == {"3", "4", "5"}
    monkeypatch.setattr(shared_folder, "MOST_BYTES", 960)
    shared.keep("f" * 64, KeptAnswer(time.time(), os.urandom(900)))
    assert [path.name for path in (tmp_path / "answers").iterdir()] == ["f" * 64]


async def test_an_answer_that_is_kept_comes_at_once(tmp_path: Path) -> None:
    service = Counted()
    service.seconds = 0.0
    body = os.urandom(200_000)
    SharedFolder(tmp_path).keep(question().key, KeptAnswer(time.time(), body))
    began = time.perf_counter()
    for _ in range(20):
        answer = await Asking(tmp_path).ask(service, question(), len, service.fetch)
        assert answer.found == 200_000
    assert (time.perf_counter() - began) / 20 < 0.05  # measured: below 2 ms


async def test_a_session_that_does_not_finish_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_folder, "_LONGEST_LOCK", 0.2)
    shared = SharedFolder(tmp_path)
    async with shared.locked(question().key):
        with pytest.raises(ServiceError, match="does not finish"):
            await ask(tmp_path, Counted())


async def test_a_process_that_holds_the_pace_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.web.services.shared_folder._LONGEST_PACE_LOCK", 0.1)
    (tmp_path / "pace").mkdir()
    with (tmp_path / "pace" / "counted").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        async with asyncio.timeout(5):
            assert await SharedFolder(tmp_path).book("counted", 10.0) == 0.0
