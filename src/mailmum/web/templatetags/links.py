"""The tag `url` as Django has it, with the addresses of `web.links`; see there for why.

It is one of the built-in tags of our templates (`control.settings`), and nothing is loaded for it.
"""

from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.context import Context
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as parse
from django.urls import NoReverseMatch
from django.utils.html import conditional_escape

from mailmum.web.links import link

register = template.Library()


class _Address(URLNode):
    """An address, of which all but the looking up is Django's."""

    def render(self, context: Context) -> Any:
        """Make it, or keep it under a name."""
        name = self.view_name.resolve(context)
        if self.kwargs or ":" in name:
            return super().render(context)
        try:
            made = link(name, *(arg.resolve(context) for arg in self.args))
        except NoReverseMatch:
            if self.asvar is None:
                raise
            made = ""
        if self.asvar:
            context[self.asvar] = made
            return ""
        return conditional_escape(made) if context.autoescape else made


@register.tag
def url(parser: Parser, token: Token) -> _Address:
    """`{% url 'listing' place.account.pk 7 %}`."""
    made = parse(parser, token)
    return _Address(made.view_name, made.args, made.kwargs, made.asvar)
