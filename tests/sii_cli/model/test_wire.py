"""What a real server was seen to do, and what the model layer makes of it."""

from __future__ import annotations

import pytest

from recordings.events import Usage
from sii_cli.model.failures import failure_of_status
from sii_cli.model.types import Completion
from tests.sii_cli.model.captures import capture, completion, streamed

LS = '{"command": "ls -la /workspace && cat -n test_calc.py", "timeout": 30}'
LOOK = "I should look at the files first."
COUNT = "one two three four five six seven eight"


def done(name: str) -> Completion:
    """The completion that a captured stream makes."""
    return completion(streamed(capture(name).body)[1])


# Streams


def test_reasoning_and_a_call_are_reassembled() -> None:
    made = done("02")
    assert made.reasoning == f"\n{LOOK}"
    assert made.content is None or not made.content.strip()
    assert [(call.index, call.name, call.arguments) for call in made.calls] == [(0, "bash", LS)]
    assert made.calls[0].call_id == "chatcmpl-tool-92c596a5d20b4fbf"
    assert (made.finish_reason, made.stop_reason, made.complete) == ("tool_calls", 2009, True)
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (612, 58)
    assert made.flags == ("ids_missing",)


def test_the_streamed_deltas_are_the_text() -> None:
    deltas, assembler = streamed(capture("02").body)
    made = completion(assembler)
    assert "".join(d.text for d in deltas if d.kind == "reasoning") == made.reasoning
    assert "".join(d.text for d in deltas if d.kind == "call_name") == "bash"
    assert "".join(d.text for d in deltas if d.kind == "call_arguments") == LS


def test_usage_that_comes_with_every_chunk_is_the_last_one() -> None:
    made = done("04")
    assert made.content is not None
    assert made.content.strip().startswith(COUNT)
    assert made.usage == Usage(
        prompt_tokens=14, completion_tokens=192, cached_tokens=0, reasoning_tokens=6
    )
    assert (made.finish_reason, made.stop_reason) == ("stop", 2007)


def test_exact_ids_come_with_the_stream_stop_token_included() -> None:
    made, whole = done("05"), capture("05b").json
    assert made.prompt_ids == whole["prompt_token_ids"]
    assert made.generated_ids == whole["choices"][0]["token_ids"]
    assert made.generated_ids is not None
    assert made.generated_ids[-1] == made.stop_reason == 2009
    assert made.usage is not None
    assert len(made.generated_ids) == made.usage.completion_tokens == 80
    assert made.usage.cached_tokens == 512
    assert made.fingerprint == "vllm-0.32.0-ce92a381"
    assert made.flags == ()


def test_streamed_and_whole_answers_have_the_same_reasoning_and_calls() -> None:
    made, message = done("05"), capture("05b").message
    assert made.reasoning == message["reasoning"]
    assert made.calls[0].arguments == message["tool_calls"][0]["function"]["arguments"]
    assert "héllo → 世界" in made.calls[0].arguments


def test_log_probabilities_in_a_stream_do_no_harm() -> None:
    assert done("06b").calls[0].arguments == LS


def test_without_thinking_there_is_no_reasoning() -> None:
    made = done("07")
    assert made.reasoning is None
    assert made.content == "\nHi there!"


def test_a_stream_cut_off_inside_a_call_says_so_and_keeps_the_half() -> None:
    made = done("09b")
    assert (made.finish_reason, made.stop_reason, made.complete) == ("length", None, False)
    assert made.calls[0].arguments == '{"command": "ls'


def test_the_47_format_streams_alike() -> None:
    made = done("30b")
    assert (made.reasoning, made.calls[0].arguments) == (LOOK, LS)
    assert made.generated_ids == capture("30").choice["token_ids"]
    assert made.flags == ()


@pytest.mark.parametrize(
    ("name", "ending"),
    [("50_kill_api", "RemoteProtocolError"), ("50_kill_term", "ReadTimeout")],
)
def test_a_killed_server_leaves_a_stream_without_an_end(name: str, ending: str) -> None:
    taken = capture(name)
    _, assembler = streamed(taken.body)
    assert ending in taken.notes
    assert assembler.finish_reason is None
    assert assembler.content
    assert COUNT.startswith(assembler.content.strip())
    assert b"[DONE]" not in taken.body


# Refusals


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("08f", "bad_request", "`tools` must be set"),
        ("20", "overflow", "4096 tokens"),
        ("20c", "overflow", "4096 tokens"),
        ("21_err", "unknown_model", "SII_MODEL"),
        ("22_err", "bad_request", "function.name"),
        ("22b", "bad_request", "body.tools"),
        ("22c", "bad_request", "empty array"),
        ("22e", "bad_request", "JSON decode error"),
        ("22g", "bad_request", "at least one message"),
        ("23c", "bad_request", "valid string"),
        ("34", "unauthorized", "SII_API_KEY"),
        ("34b", "unauthorized", "SII_API_KEY"),
    ],
)
def test_a_refusal_is_named_and_not_tried_again(name: str, kind: str, words: str) -> None:
    said = capture(name)
    failure = failure_of_status(said.status, said.body, {}, "nope")
    assert (failure.kind, failure.retry) == (kind, False)
    assert words in str(failure)


# Facts that the design rests on


@pytest.mark.parametrize("name", ["09", "35"])
def test_a_truncated_call_looks_like_a_real_one_when_it_is_not_streamed(name: str) -> None:
    choice = capture(name).choice
    assert (choice["finish_reason"], choice["stop_reason"]) == ("tool_calls", None)
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert capture(name).json["usage"]["completion_tokens"] == capture(name).request["max_tokens"]


def test_a_stop_string_is_named_as_the_stop_reason() -> None:
    assert capture("09d").choice["stop_reason"] == "ten"


@pytest.mark.parametrize("name", ["08_tool_choice_none", "31d"])
def test_with_tool_choice_none_a_call_that_is_made_vanishes(name: str) -> None:
    choice = capture(name).choice
    assert "tool_calls" not in choice["message"]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", 2009)


def test_tools_in_the_template_arguments_alone_are_called_and_not_parsed() -> None:
    choice = capture("26").choice
    assert "tool_calls" not in choice["message"]
    assert (choice["finish_reason"], choice["token_ids"][-1]) == ("stop", 2009)


@pytest.mark.parametrize("name", ["08d", "31b"])
def test_a_named_choice_finishes_with_stop(name: str) -> None:
    choice = capture(name).choice
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["tool_calls"]


def test_only_strict_mode_enforces_a_named_choice() -> None:
    assert capture("08d").message["tool_calls"][0]["function"]["name"] == "bash"
    assert capture("31b").message["tool_calls"][0]["function"]["name"] == "read_file"


@pytest.mark.parametrize("name", ["01", "08b", "08c", "20b", "31"])
def test_one_call_is_parsed(name: str) -> None:
    (call,) = capture(name).message["tool_calls"]
    assert call["function"] == {"name": "bash", "arguments": LS}
    assert capture(name).choice["finish_reason"] == "tool_calls"


def test_parallel_calls_are_parsed_unless_they_are_forbidden() -> None:
    assert len(capture("03b").message["tool_calls"]) == 2
    assert len(capture("08e").message["tool_calls"]) == 1


@pytest.mark.parametrize("name", ["07b", "07c"])
def test_both_switches_turn_thinking_off(name: str) -> None:
    assert capture(name).message["reasoning"] is None
    assert capture(name).json["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


def test_reasoning_left_out_was_still_generated() -> None:
    assert capture("07d").message["reasoning"] is None
    assert capture("07d").json["usage"]["completion_tokens_details"]["reasoning_tokens"] == 6


def test_a_seed_reproduces() -> None:
    first, second = capture("10").json["choices"], capture("10b").json["choices"]
    assert [choice["token_ids"] for choice in first] == [choice["token_ids"] for choice in second]


def test_a_context_that_max_tokens_overruns_is_no_error() -> None:
    assert capture("20b").request["max_tokens"] + 612 > 4096
    assert capture("20b").status == 200


@pytest.mark.parametrize("name", ["21b", "22d", "22f", "22h"])
def test_what_is_wrong_or_missing_may_pass_in_silence(name: str) -> None:
    assert capture(name).status == 200


def test_a_message_of_an_unknown_role_is_dropped() -> None:
    assert capture("22f").json["prompt_text"] == "[gMASK]<sop><|assistant|>"


@pytest.mark.parametrize("name", ["23", "23e"])
def test_arguments_that_are_no_object_become_an_empty_one_in_silence(name: str) -> None:
    assert "<tool_call>bash\n</tool_call>" in capture(name).json["prompt_text"]


def test_arguments_are_rendered_again() -> None:
    prompt = capture("23b").json["prompt_text"]
    assert "<arg_value>hé</arg_value>" in prompt  # sent as \\u00e9
    assert '{"a": [1, 2.5, null, true]}' in prompt  # sent as 2.50


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_goes_back_under_either_name(field: str) -> None:
    assert f"<think>{LOOK}</think>" in capture(f"24_hist_field_{field}").json["prompt_text"]


def test_reasoning_written_into_the_content_is_taken_for_reasoning() -> None:
    assert "<think>inline why</think>\nhello" in capture("24b").json["prompt_text"]


@pytest.mark.parametrize("name", ["24c", "24d", "32"])
def test_reasoning_of_an_earlier_round_is_dropped(name: str) -> None:
    assert LOOK not in capture(name).json["prompt_text"]


def test_the_47_template_keeps_it_when_asked() -> None:
    assert f"<think>{LOOK}</think>" in capture("32b").json["prompt_text"]


def test_an_observation_in_parts_is_joined() -> None:
    assert "part one\npart two" in capture("24e").json["prompt_text"]


def test_a_call_id_that_matches_nothing_is_ignored() -> None:
    assert "<tool_response>\nok\n</tool_response>" in capture("24f").json["prompt_text"]


def test_control_tokens_in_a_users_text_become_control_tokens() -> None:
    ids = capture("25").json["prompt_token_ids"]
    assert ids.count(2008) == 2  # <|assistant|>: the user's, and the template's own
    assert {2010, 2015} <= set(ids)


def test_a_request_id_comes_back_in_the_answers() -> None:
    assert capture("37").json["id"] == "chatcmpl-sii-123"


def test_a_tools_strict_mark_reaches_the_prompt() -> None:
    assert '"strict": true' in capture("36").json["prompt_text"]


def test_tokenize_gives_the_ids_that_chat_completions_would_read() -> None:
    counted = capture("11").json
    assert counted["count"] == len(counted["tokens"]) == 612
    assert counted["max_model_len"] == 4096
    assert counted["tokens"] == capture("40").json["token_ids"]


def test_tokens_are_told_by_their_text_and_back() -> None:
    assert capture("11b").json["token_strs"][:3] == ["[gMASK]", "<sop>", "<|user|>"]
    assert capture("11c").json["prompt"] == "[gMASK]<sop><|assistant|><think>"


def test_log_probabilities_name_tokens_by_id_when_asked() -> None:
    assert capture("06c").choice["logprobs"]["content"][-1]["token"] == "token_id:2007"
    assert capture("06").choice["logprobs"]["content"][-1]["token"] == "<|user|>"


def test_a_server_describes_itself() -> None:
    assert capture("12").json["data"][0]["max_model_len"] == 4096
    assert capture("12c").json == {"version": "0.32.0"}
    assert capture("12f").json == {"server_load": 0}
    for name in ("12b", "12e", "34c"):
        assert (capture(name).status, capture(name).body) == (200, b"")
    for name in ("12g", "12h"):
        assert capture(name).status == 404


def test_its_load_is_in_the_metrics() -> None:
    for name in ("num_requests_running", "num_requests_waiting", "prefix_cache_hits_total"):
        assert f'vllm:{name}{{engine="0",model_name="glm"}}'.encode() in capture("12d").body


def test_a_key_guards_v1_alone() -> None:
    assert capture("34b").status == 401
    assert {capture(name).status for name in ("34c", "34d", "34e")} == {200}


def test_token_in_token_out_exists_when_it_is_enabled() -> None:
    assert capture("11d").status == 403
    assert capture("41").choice["token_ids"] == capture("26").choice["token_ids"]
    assert b'"token_ids":[198]' in capture("41b").body
    assert b'"token_ids":[198]' in capture("28").body
