import logging

# At level DEBUG these write whole requests, prompts included; at INFO where each one went.
TALKATIVE = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "pydantic_ai")


def quiet_libraries() -> None:
    """Before each call, for some set their own level when they are imported."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
