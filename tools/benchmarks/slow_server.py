"""A provider in a process of its own that speaks OpenAI's chat completions, slowly.

    python -m tools.benchmarks.slow_server PORT SECONDS

A request whose prompt has AT_ONCE in it is answered at once. `GET /waiting` says how many wait.
"""

import asyncio
import json
import re
import sys

SUMMARY = {"summary": "Done.", "body": "The work of this step, in one sentence."}
AT_ONCE = "Answer at once."
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
BACKLOG = 4096


def completion() -> bytes:
    function = {"name": "deliver_agent_output", "arguments": json.dumps(SUMMARY)}
    call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "slow",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return json.dumps(body).encode()


class SlowServer:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.waiting = 0
        self.body = completion()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    self.answer(writer, str(self.waiting).encode())
                    continue
                prompt = await reader.readexactly(int(LENGTH.search(head)[1]))
                if AT_ONCE.encode() not in prompt:
                    await self.wait(reader)
                self.answer(writer, self.body)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def wait(self, reader: asyncio.StreamReader) -> None:
        """As long as a call takes; shorter where the client hangs up."""
        self.waiting += 1
        try:
            await asyncio.wait_for(reader.read(1), self.seconds)
            raise ConnectionResetError
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1

    def answer(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)


async def main(port: int, seconds: float) -> None:
    slow = SlowServer(seconds)
    server = await asyncio.start_server(slow.serve, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
