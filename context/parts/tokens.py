def estimate_tokens(text: str) -> int:
    """About how many tokens a model makes of it: four ASCII characters, or one other, for each."""
    if text.isascii():
        return -(-len(text) // 4)
    others = len(text) - len(text.encode("ascii", "ignore"))
    return -(-(len(text) - others) // 4) + others
