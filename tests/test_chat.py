"""`rsr chat`: turns, commands, interrupts, a full context, and line editing on a terminal."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RSR = Path(os.environ.get("RSR_BUILD", "build/release")).resolve() / "rsr"
DEMO = ROOT / "models" / "demo"
QUESTION = "Write the numbers from one to ten in words separated by commas only:"
OTHER = "Write the numbers from 3 to 7 in words separated by commas only:"


def chat(*lines, model=DEMO, flags=()):
    """Pipe lines into `rsr chat` and run it to its end."""
    command = [str(RSR), "chat", str(model), *map(str, flags)]
    text = "".join(line + "\n" for line in lines)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)


def answers(*lines, **options):
    """The answers, one a line, of a conversation without complaints."""
    done = chat(*lines, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture(name="endless")
def endless_model(tmp_path):
    """The demo model with a context in which an answer can go on for long."""
    copied = Path(shutil.copytree(DEMO, tmp_path / "model"))
    config = copied / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 100000}))
    return copied


def start(model, *flags):
    """Start a conversation without waiting for it."""
    command = [str(RSR), "chat", str(model), *flags]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_first_turn_is_that_of_run():
    run = subprocess.run([RSR, "run", DEMO, "-p", QUESTION], capture_output=True, text=True, timeout=300, check=True)
    assert answers(QUESTION) == run.stdout.splitlines()


def test_nothing_but_answers_is_printed():
    assert len(answers(QUESTION, "", OTHER, "/exit", "not read")) == 2
    assert not answers()


def test_reset_begins_anew():
    first, _, again = answers(QUESTION, OTHER, "/reset", QUESTION, "/exit")[:3]
    assert again == first


def test_history_and_system_message_are_seen():
    # Scores of a short answer's tokens hardly ever agree when the context differs: sampling shows it.
    flags = ["--temperature", "3", "--max-tokens", "30", "--ignore-eos"]
    alone = answers(OTHER, flags=flags)
    assert answers(OTHER, flags=flags) == alone
    assert answers(QUESTION, OTHER, flags=flags)[1:] != alone
    told = answers("/system Count.", OTHER, flags=flags)
    assert told != alone
    assert answers(OTHER, flags=[*flags, "--system", "Count."]) == told
    assert answers("/system Count.", "/system", OTHER, flags=flags) == alone


def test_help_and_unknown_commands():
    done = chat("/help")
    assert done.returncode == 0 and done.stdout == ""
    for command in ("/reset", "/system", "/help", "/exit", "Ctrl-C"):
        assert command in done.stderr
    for line in ("/nonsense", "/reset now"):
        done = chat(line, QUESTION)
        assert done.returncode == 1
        assert line.split()[0] in done.stderr and "/help" in done.stderr
        assert len(done.stdout.splitlines()) == 1


def test_full_context_is_told_and_reset_helps():
    flags = ["--context", "40", "--ignore-eos"]
    done = chat("one", "two", "/reset", "one", flags=flags)
    first, second = done.stdout.splitlines()
    assert first == second
    full, error, again = done.stderr.splitlines()
    assert full == again == "the context is full; /reset begins anew"
    assert error.startswith("error: the prompt does not fit") and error.endswith("/reset begins anew")
    assert done.returncode == 1


def test_most_tokens_of_an_answer_are_no_full_context():
    done = chat("one", flags=["--max-tokens", "3"])
    assert (done.returncode, done.stderr) == (0, "")


def test_text_that_is_not_utf8_leaves_the_session():
    command = [str(RSR), "chat", str(DEMO)]
    done = subprocess.run(command, input=b"\xff\n" + QUESTION.encode(), capture_output=True, timeout=300, check=False)
    assert done.returncode == 1
    assert b"UTF-8" in done.stderr
    assert done.stdout.decode().splitlines() == answers(QUESTION)


def test_a_model_without_a_known_template(endless):
    config = endless / "tokenizer_config.json"
    for template in (None, "{{ messages }}"):
        config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": template}))
        done = chat("one", model=endless)
        assert done.returncode == 1 and done.stdout == ""
        assert "--chat-template" in done.stderr
        assert answers("one", model=endless, flags=["--chat-template", "bitnet", "--max-tokens", "2"])


def test_interrupt_ends_the_answer_and_not_the_session(endless):
    process = start(endless, "--ignore-eos")
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(b"/exit\n", timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert output.endswith(b"\n")


def test_interrupt_while_waiting_ends_a_pipe():
    process = start(DEMO)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert process.stdout.readline()
    time.sleep(0.3)  # until it waits for the next line
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.communicate()


class Terminal:
    """A conversation on a pseudo-terminal."""

    def __init__(self):
        self.ours, theirs = pty.openpty()
        command = [str(RSR), "chat", str(DEMO), "--max-tokens", "8"]
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        # A session of its own, whose controlling terminal this is: Ctrl-C then is a signal.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        self.shown = b""

    def wait_for(self, text):
        """What was shown since the last call, up to `text`."""
        while text not in self.shown:
            assert select.select([self.ours], [], [], 60)[0], f"no {text!r} in {self.shown!r}"
            self.shown += os.read(self.ours, 10000)
        end = self.shown.index(text) + len(text)
        shown, self.shown = self.shown[:end], self.shown[end:]
        return shown

    def type(self, keys):
        """Press keys, when the editor has had time to take the terminal after its prompt."""
        time.sleep(0.5)
        os.write(self.ours, keys)


def test_terminal_edits_lines():
    terminal = Terminal()
    assert b"/help" in terminal.wait_for(b"> ")
    terminal.type(b"/hxx\x7f\x7fel\x01\x05p\n")  # backspace twice, to the beginning, to the end
    assert b"/reset" in terminal.wait_for(b"answer.\r\n")
    terminal.wait_for(b"> ")
    terminal.type(b"/nothing")
    terminal.wait_for(b"/nothing")  # the editor has the terminal now
    terminal.type(b"\x03")  # Ctrl-C leaves the line
    terminal.wait_for(b"> ")
    terminal.type(b"\x10\x10\n")  # the line before: /help
    assert b"/reset" in terminal.wait_for(b"answer.\r\n")
    terminal.wait_for(b"> ")
    terminal.type(b"\x04")
    assert terminal.process.wait(timeout=60) == 0
    os.close(terminal.ours)
