"""The process of the embedded language model: llama.cpp's server on loopback, behind a key of this start.

Run as a script (`python -I local_model_server.py MARK`) by a keeper, its settings as one JSON object on
standard input. Once the model is loaded it writes where it listens; it ends with its parent.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def serve_local_model(settings: dict[str, Any]) -> None:
    """Load `settings["model"]` (a GGUF path), write the address to `settings["announce"]`, and serve.

    Also in `settings`: `alias`, `api_key`, `threads`, `context` (tokens, shared by `slots` parallel requests)
    and `template` (Jinja text; empty for the model's own).
    """
    import xllamacpp

    parent = os.getppid()
    server = xllamacpp.Server(_parameters(settings))
    draft = Path(settings["announce"] + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"base_url": server.listening_address + "/v1", "pid": os.getpid()}, file)
    draft.rename(settings["announce"])
    while os.getppid() == parent:
        time.sleep(1.0)


def _parameters(settings: dict[str, Any]) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["model"]
    parameters.model_alias = {settings["alias"]}
    parameters.api_keys = [settings["api_key"]]
    parameters.cpuparams.n_threads = settings["threads"]
    parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.n_parallel = settings["slots"]
    parameters.n_ctx = settings["context"]
    parameters.kv_unified = True
    parameters.use_jinja = True
    if settings["template"]:
        parameters.chat_template = settings["template"]
    # Chat and embeddings from one server; the mean over all tokens is what sentence embeddings are made of.
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # Answers end somewhere although small models ramble: a default that a request's max_tokens overrides.
    parameters.n_predict = 1024
    # Prompts stay in the slots they were computed in: no second copy, no page that shows them, no browser.
    parameters.cache_ram_mib = 0
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.cors_origins = ""
    parameters.verbosity = 1
    return parameters


if __name__ == "__main__":
    serve_local_model(json.load(sys.stdin))
