"""How people log in on the pages."""

from django.contrib.auth.forms import AuthenticationForm


class LoginForm(AuthenticationForm):
    """For every active account, where Django's admin would ask for staff."""
