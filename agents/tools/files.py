"""Read and change the files of the workspace."""

from pydantic import Field

from agents.tool import Arguments, Bench, ToolError, tool
from agents.workspace import WorkspaceError

MOST_LINES = 1_000
MOST_FOUND = 100
LINE_CHARACTERS = 300


class FileTool:
    uses_workspace = True


class NoArguments(Arguments):
    pass


class PathArguments(Arguments):
    path: str = Field(max_length=200, description="Relative path with forward slashes.")


class ReadArguments(PathArguments):
    first_line: int = Field(1, ge=1, description="Where to begin; lines count from 1.")
    lines: int = Field(MOST_LINES, ge=1, le=MOST_LINES, description="How many lines at most.")


class WriteArguments(PathArguments):
    content: str = Field(description="The whole new text of the file.")


class EditArguments(PathArguments):
    old: str = Field(min_length=1, description="Text that stands in the file exactly once.")
    new: str = Field(description="What stands there afterwards.")


class SearchArguments(Arguments):
    text: str = Field(min_length=1, max_length=500, description="Plain text, not a pattern.")
    path: str = Field("", max_length=200, description="Only in this file or folder.")


@tool("list", order=10)
class ListFiles(FileTool):
    description = "List the files of the workspace, with their sizes."
    arguments = NoArguments

    def run(self, bench: Bench, arguments: NoArguments) -> str:
        files = sorted(bench.workspace.files.items())
        lines = [f"{path} ({len(text.encode()):,} bytes)" for path, text in files]
        return "\n".join(lines) or "The workspace is empty."


@tool("read", order=20)
class ReadFile(FileTool):
    description = "Read a file of the workspace, or some lines of it."
    arguments = ReadArguments

    def run(self, bench: Bench, arguments: ReadArguments) -> str:
        lines = _text(bench, arguments.path).splitlines(keepends=True)
        begin = arguments.first_line - 1
        part = lines[begin : begin + arguments.lines]
        if len(part) == len(lines):
            return "".join(lines) or "(The file is empty.)"
        where = f"Lines {arguments.first_line} to {begin + len(part)} of {len(lines)}:\n"
        return where + "".join(part) if part else f"The file has {len(lines)} lines."


@tool("write", order=30)
class WriteFile(FileTool):
    description = "Write a file of the workspace: a new one, or another text for one that is there."
    arguments = WriteArguments

    def run(self, bench: Bench, arguments: WriteArguments) -> str:
        _write(bench, arguments.path, arguments.content)
        return f"Written: {arguments.path}, {len(arguments.content.encode()):,} bytes."


@tool("edit", order=40)
class EditFile(FileTool):
    description = "Replace a piece of text in a file of the workspace."
    arguments = EditArguments

    def run(self, bench: Bench, arguments: EditArguments) -> str:
        text = _text(bench, arguments.path)
        if (count := text.count(arguments.old)) != 1:
            raise ToolError(f"The old text stands {count} times in {arguments.path}; not once.")
        _write(bench, arguments.path, text.replace(arguments.old, arguments.new))
        return f"Edited: {arguments.path}."


@tool("delete", order=50)
class DeleteFile(FileTool):
    description = "Remove a file from the workspace."
    arguments = PathArguments

    def run(self, bench: Bench, arguments: PathArguments) -> str:
        _text(bench, arguments.path)
        bench.workspace.delete(arguments.path)
        return f"Removed: {arguments.path}."


@tool("search", order=60)
class SearchFiles(FileTool):
    description = "Find the lines of the workspace's files that contain a text."
    arguments = SearchArguments

    def run(self, bench: Bench, arguments: SearchArguments) -> str:
        place = arguments.path.rstrip("/")
        found = [
            f"{path}:{number}: {line[:LINE_CHARACTERS]}"
            for path, text in sorted(bench.workspace.files.items())
            if not place or path == place or path.startswith(f"{place}/")
            for number, line in enumerate(text.splitlines(), start=1)
            if arguments.text in line
        ]
        more = f"\n(and {len(found) - MOST_FOUND} more)" if len(found) > MOST_FOUND else ""
        return "\n".join(found[:MOST_FOUND]) + more if found else "No line contains it."


def _text(bench: Bench, path: str) -> str:
    try:
        return bench.workspace.read(path)
    except WorkspaceError as error:
        raise ToolError(str(error)) from error


def _write(bench: Bench, path: str, content: str) -> None:
    try:
        bench.workspace.write(path, content)
    except WorkspaceError as error:
        raise ToolError(str(error)) from error
