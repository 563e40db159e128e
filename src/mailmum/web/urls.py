"""All addresses of the site.

What belongs to an account lies under /a/NUMBER/ and stands behind `gate.account_view`.  Of
allauth's pages only those are here that fit people who are let in by owners: no signing up, no
changing of the e-mail address that memberships hang on, no reset by mail.
"""

from allauth.account import views as allauth_views
from django.urls import URLPattern, URLResolver, include, path, register_converter

from mailmum.web.views import (
    act,
    alert_channels,
    alerts,
    bulk,
    client,
    entry,
    feeds,
    files,
    health,
    join,
    journal,
    listing_forms,
    listings,
    live,
    overview,
    parameters,
    pauses,
    people,
    rbls,
    requests,
    search,
    servers,
    stop,
    suggestions,
    tokens,
    triggers,
    why,
)

Addresses = list[URLPattern | URLResolver]


class Number:
    """A number of a row; more digits than a database holds are no address of ours."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_url(self, value: int) -> str:
        """Its digits."""
        return str(value)


register_converter(Number, "num")

sign_in: Addresses = [
    path("login/", allauth_views.login, name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("reauthenticate/", allauth_views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", allauth_views.password_change, name="account_change_password"),
    path("password/set/", allauth_views.password_set, name="account_set_password"),
    path("two-factor/", include("allauth.mfa.urls")),
]

server: Addresses = [
    path("", servers.detail, name="server"),
    path("edit/", servers.edit, name="server-edit"),
    path("rotate/", servers.rotate, name="server-rotate"),
    path("remove/", servers.remove, name="server-remove"),
    path("pause/", pauses.pause_server, name="server-pause"),
    path("resume/", pauses.resume_server, name="server-resume"),
]

feed: Addresses = [
    path("", feeds.detail, name="feed"),
    path("act/", feeds.act, name="feed-act"),
    path("remove/", feeds.remove, name="feed-remove"),
]

settings: Addresses = [
    path("", parameters.parameters, name="settings"),
    path("set/", parameters.set_parameters, name="settings-set"),
    path("people/", people.people, name="people"),
    path("people/add/", people.add_person, name="person-add"),
    path("people/role/", people.set_role, name="person-role"),
    path("people/remove/", people.remove_person, name="person-remove"),
    path("people/link/", people.new_link, name="person-link"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/add/", tokens.add_token, name="token-add"),
    path("tokens/<num:number>/revoke/", tokens.revoke_token, name="token-revoke"),
]

alert: Addresses = [
    path("", alerts.index, name="alerts"),
    path("past/", alerts.past, name="alerts-past"),
    path("report/", alerts.weekly, name="alerts-report"),
    path("<num:number>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("channels/", alert_channels.index, name="alert-channels"),
    path("channels/add/", alert_channels.add, name="alert-channel-add"),
    path("channels/test/", alert_channels.test, name="alert-channel-test"),
    path("channels/remove/", alert_channels.remove, name="alert-channel-remove"),
    path("channels/<num:number>/", alert_channels.edit, name="alert-channel"),
    path("channels/<num:number>/key/", alert_channels.rotate, name="alert-channel-key"),
    path("channels/habits/", alert_channels.habits, name="alert-habits"),
]

trigger: Addresses = [
    path("", triggers.detail, name="trigger"),
    path("edit/", triggers.edit, name="trigger-edit"),
    path("mode/", triggers.set_mode, name="trigger-mode"),
    path("resume/", triggers.resume, name="trigger-resume"),
    path("clear/", triggers.clear, name="trigger-clear"),
    path("remove/", triggers.remove, name="trigger-remove"),
]

account: Addresses = [
    path("", overview.index, name="account"),
    path("overview/<str:part>/", overview.part, name="overview-part"),
    path("search/", search.index, name="search"),
    path("search/export/", search.export, name="search-export"),
    path("live/", live.index, name="live"),
    path("live/stream/", live.stream, name="live-stream"),
    path("find/", listings.find, name="find"),
    path("client/", client.client, name="client"),
    path("requests/", requests.index, name="requests"),
    path("requests/<num:number>/", requests.detail, name="request"),
    path("requests/<num:number>/answer/", requests.answer, name="request-answer"),
    path("pause/", pauses.pause_account, name="pause"),
    path("resume/", pauses.resume_account, name="resume"),
    path("servers/", servers.index, name="servers"),
    path("servers/add/", servers.add, name="server-add"),
    path("server/<str:name>/", include(server)),
    path("listings/", listings.index, name="listings"),
    path("listings/add/", listing_forms.add, name="listing-add"),
    path("listings/check/", listing_forms.check, name="listing-check"),
    path("listings/act/", act.act, name="listing-act"),
    path("listings/bulk/", bulk.bulk, name="listings-bulk"),
    path("listings/import/", files.take_in, name="listings-import"),
    path("listings/export/", files.give_out, name="listings-export"),
    path("listings/export/file/", files.download, name="listings-file"),
    path("listings/remove/", listings.remove, name="listings-remove"),
    path("listings/<num:number>/", listings.detail, name="listing"),
    path("listings/<num:number>/edit/", listing_forms.edit, name="listing-edit"),
    path("feeds/", feeds.index, name="feeds"),
    path("feeds/add/", feeds.add, name="feed-add"),
    path("feed/<str:name>/", include(feed)),
    path("client/rbls/", rbls.said, name="client-rbls"),
    path("suggestions/", suggestions.index, name="suggestions"),
    path("suggestions/<num:number>/accept/", suggestions.accept, name="suggestion-accept"),
    path("suggestions/<num:number>/dismiss/", suggestions.dismiss, name="suggestion-dismiss"),
    path("rbls/", rbls.index, name="rbls"),
    path("rbls/caught/", rbls.caught, name="rbls-caught"),
    path("rbls/add/", rbls.add, name="rbl-add"),
    path("rbls/remove/", rbls.remove, name="rbl-remove"),
    path("rbls/health/", rbls.look, name="rbl-health"),
    path("alerts/", include(alert)),
    path("triggers/", triggers.index, name="triggers"),
    path("triggers/add/", triggers.add, name="trigger-add"),
    path("triggers/try/", triggers.try_it, name="trigger-try"),
    path("trigger/<str:name>/", include(trigger)),
    path("journal/", journal.index, name="journal"),
    path("journal/<num:seq>/undo/", journal.undo_change, name="undo"),
    path("settings/", include(settings)),
]

urlpatterns: Addresses = [
    path("", entry.home, name="home"),
    path("enter/<str:secret>/", entry.enter, name="enter"),
    path("join/<str:secret>/", join.join, name="join"),
    path("a/<num:account>/", include(account)),
    path("stop/<str:token>/", stop.stop, name="stop"),
    path("why/<str:ref>/<path:client>", why.why, name="why"),
    path("accounts/", include(sign_in)),
    path("api/v1/", include("mailmum.api.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = "mailmum.web.views.errors.bad_request"
handler403 = "mailmum.web.views.errors.forbidden"
handler404 = "mailmum.web.views.errors.not_found"
handler500 = "mailmum.web.views.errors.server_error"
