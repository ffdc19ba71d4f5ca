"""Raises in every hook that there is."""

from hafw.api import hookimpl


def refuse():
    raise RuntimeError("whatever it is, no")


@hookimpl
def check():
    refuse()


@hookimpl
def monitor():
    refuse()


@hookimpl
def became_master():
    refuse()


@hookimpl
def became_backup():
    refuse()


@hookimpl
def faulted():
    refuse()


@hookimpl
def stopped():
    refuse()


@hookimpl
def vip_changed():
    refuse()


@hookimpl
def group_changed():
    refuse()


@hookimpl
def event():
    refuse()


@hookimpl
def before_release():
    refuse()
