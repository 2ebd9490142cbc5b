"""What the rules cannot build, and how to say so."""

import re

_COMMAND_LINE = "The offline rules build command-line programs only."
_SERVICE = "It needs a service outside the program, and the offline rules build none."
_LIMITS: tuple[tuple[str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            r"\bnotif(?:y|ied|ication)|\bremind(?:er|ed)?s?\b|\b(?:send|sends|sent|receives?|gets?|by|via|per)\b"
            r"[^.]{0,30}\b(?:e-?mails?|sms|text message|letter|newsletter)\b|\be-?mail "
            r"(?:reminder|alert)",
            f"Sending messages: {_SERVICE}",
        ),
        (
            r"\bweb ?(?:site|page|app|interface|based)|\bbrowser\b|\bmobile\b|\bsmartphone|"
            r"\bi(?:os|phone|pad)\b|"
            r"\bandroid\b|\bgui\b|\bgraphical\b|\bdashboard|\bdrag|\bbutton|\btouch ?screen|"
            r"\bweboberfläche|\bdark mode",
            f"A graphical surface: {_COMMAND_LINE}",
        ),
        (
            r"\blog(?:s|ged)? ?in\b|\blogin\b|\bpasswords?\b|\buser accounts?\b|"
            r"\bpermissions?\b|\bsign in\b|\banmelden",
            "Accounts and rights: the program that the offline rules build serves whoever runs it.",
        ),
        (
            r"\bpay(?:s|ments?)? (?:online|by|with)|\bcredit card|\bpaypal|\bstripe\b|\bonline "
            r"payment",
            _SERVICE,
        ),
        (
            r"\bbar ?code|\bqr\b|\bscan(?:s|ned|ner)?\b|\bphotos?\b|\bpictures?\b|\bimages?\b|"
            r"\bcamera|\bvideo|\bvoice|"
            r"\bmusic\b",
            "Pictures, sound and scanning need more than the standard library.",
        ),
        (
            r"\bcharts?\b|\bgraphs?\b|\bplots?\b|\bpdf\b|\bexcel\b|\bxlsx\b|\bword document|"
            r"\bprint(?:ed|er)\b|\bdiagram",
            "Charts, PDF and office formats need more than the standard library.",
        ),
        (
            r"\bsync|\bcloud\b|\breal[- ]?time|\bwebhook|\bapi\b|\bintegrat|\bgoogle\b|"
            r"\bapple\b|\bdownload(?:s|ed)? from|"
            r"\bfrom the internet|\bexchange rate|\bweather\b|\bfacebook|\bwhatsapp|\bslack\b|"
            r"\bgps\b|\bmaps?\b",
            _SERVICE,
        ),
        (
            r"\bmachine learning|\bartificial intelligence|\bai\b|\bneural|\bpredict|"
            r"\brecommend|\bsuggest|\bautomatically learn",
            "Guessing and recommending is beyond fixed rules.",
        ),
        (
            r"\bat the same time as|\bconcurrent|\bsimultaneous|\bseveral people at once|"
            r"\bshared? (?:it |them )?(?:with|between|among)",
            "Several people at once: the program keeps its records in one file for one user at "
            "a time.",
        ),
        (
            r"\bwithin (?:\d+|one|two|three|five|ten) (?:milli)?seconds|\bfast\b|"
            r"\bquick(?:ly)?\b|\bper second|\bperforman",
            "Speed is not measured by the tests that the offline rules write.",
        ),
        (
            r"\bencrypt|\bgdpr|\bdsgvo|\bbackups?\b|\bundo\b|\baudit",
            "The offline rules have no part for this.",
        ),
        (r"\btranslat|\bmultilingual|\bin several languages", "The program speaks one language."),
        (
            r"\bevery (?:night|morning|hour)\b|\bschedule[sd]? (?:job|task)|\bin the background",
            "The program runs when it is called.",
        ),
    )
)
UNKNOWN = (
    "The offline rules recognise nothing in this sentence that they know how to build and test."
)


def beyond(statement: str) -> str:
    """Why the rules cannot build what the statement asks for, or ''."""
    return next((reason for pattern, reason in _LIMITS if pattern.search(statement)), "")


_RECORD_LIMITS = re.compile(
    r"\b(?:last (?:time|\w+ed)|automatically|next (?:time|free)|average|mean|median|waiting "
    r"list|merge|similar|forecast|"
    r"percent|trend|compare[ds]?|nearest|repeat(?:s|ed|ing)?|recurring|durchschnitt\w*|warteliste|automatisch)\b",
    re.IGNORECASE,
)


def beyond_records(statement: str) -> str:
    """Why a program that keeps records cannot do this, although it may sound familiar; or ''."""
    match = _RECORD_LIMITS.search(statement)
    if not match:
        return ""
    return (
        f'Only part of this is understood: the offline rules have nothing for "{match[0].lower()}".'
    )
