"""Every command: its name, its options, its help. What it does stands in the module it imports."""

# ruff: noqa: PLC0415 - a command imports what it runs when it runs, so that --help is quick

import click

from bridge.cli.group import Bridge

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SANDBOX = click.option("--sandbox-url", hidden=True, help="Deliver to the sandbox at this URL.")
_CHILD = click.option("--child", is_flag=True, hidden=True, help="Started by `serve` or `demo`.")
_STATES = click.Choice(["new", "joined", "ignored", "parked"])


@click.group(cls=Bridge, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Signed webhooks in, exact Order and Purchase events at Heap out.

    Exit status: 0 done, 1 found something wrong, 2 wrong use or configuration.
    """


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
def serve(host: str) -> None:
    """Run web and worker on this machine.

    Without HEAP_APP_ID, on loopback alone, orders go to a local Heap sandbox.
    """
    from bridge.cli.serve import serve as run

    run(host)


@main.command()
@click.option("--host", help="Address to listen at.  [default: every address]")
@_SANDBOX
@_CHILD
def web(host: str | None, sandbox_url: str | None, child: bool) -> None:
    """Run the web process: receive, verify and store webhooks."""
    from bridge.cli.web import web as run

    run(host, sandbox_url, child=child)


@main.command()
@_SANDBOX
@_CHILD
def worker(sandbox_url: str | None, child: bool) -> None:
    """Run a worker process: normalise what came, deliver to Heap."""
    from bridge.cli.worker import worker as run

    run(sandbox_url, child=child)


@main.command()
def migrate() -> None:
    """Bring the database's tables to this release."""
    from bridge.cli.migrate import migrate as run

    run()


@main.command()
@click.option("--url", help="The bridge's public address, https://…, for the URLs to paste.")
@click.option("--live", is_flag=True, help="Also try the database and the way to Heap.")
@_JSON
def check(url: str | None, live: bool, as_json: bool) -> None:
    """Check the configuration; tell what to enter where."""
    from bridge.cli.check import check as run

    run(url, live=live, as_json=as_json)


@main.command()
@_JSON
def status(as_json: bool) -> None:
    """Show how sources and destinations stand.

    Exit status 1 while anything is parked or a source has fallen silent.
    """
    from bridge.cli.status import status as run

    run(as_json=as_json)


@main.command()
@click.option("--source", help="Only this source.")
@click.option("--state", type=_STATES, help="Only events in this state.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="At most so many.",
)
@_JSON
def events(source: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List the webhooks that came, the newest first."""
    from bridge.cli.events import events as run

    run(source, state, limit, as_json=as_json)


@main.command()
@click.argument("id_", metavar="ID")
@_JSON
def show(id_: str, as_json: bool) -> None:
    """Show a webhook, its order, and what was sent of it.

    ID: e17 (event), o5 (order), h9 (Heap event), a provider's id, the shop's own order id, or an
    idempotency key.
    """
    from bridge.cli.show import show as run

    run(id_, as_json=as_json)


@main.command()
@click.argument("id_", metavar="ID", required=False)
@click.option("--parked", is_flag=True, help="Replay everything that is parked.")
@_JSON
def replay(id_: str | None, parked: bool, as_json: bool) -> None:
    """Normalise or send again: an event, an order, or all parked.

    ID as in `show`. Of an order that was sent the same bytes go again, and nothing changes.
    """
    from bridge.cli.replay import replay as run

    if bool(id_) == parked:
        raise click.UsageError("Give an ID, or --parked.")
    run(id_, as_json=as_json)


@main.command()
@_JSON
def parked(as_json: bool) -> None:
    """List everything parked, with the reason and what to do."""
    from bridge.cli.events import parked as run

    run(as_json=as_json)


@main.command("send-sample")
@click.argument("provider")
@click.argument("sample", required=False)
@click.option("--to", help="Where the bridge runs.  [default: http://127.0.0.1:$PORT]")
@click.option("--list", "only_list", is_flag=True, help="List the samples, send nothing.")
@_JSON
def send_sample(
    provider: str, sample: str | None, to: str | None, only_list: bool, as_json: bool
) -> None:
    """Send sample webhooks of a provider, signed and dated today.

    Without SAMPLE all are sent. They are test orders.
    """
    from bridge.cli.sending import list_samples, send

    if only_list:
        list_samples(provider, as_json=as_json)
    else:
        send(provider, sample, to, as_json=as_json)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8181,
    show_default=True,
    help="Port to listen at; 0 is any.",
)
def sandbox(host: str, port: int) -> None:
    """Run a local Heap, strict about its rules, until Ctrl-C."""
    from bridge.cli.sandbox import sandbox as run

    run(host, port)


@main.command()
def demo() -> None:
    """Send every sample to a local Heap; show what arrived."""
    from bridge.cli.demo import demo as run

    run()


@main.command()
@click.argument("name", required=False)
@click.option("--app-id", help="Of your Heap environment.  [default: HEAP_APP_ID]")
@click.option("--source", help="Take a source's Heap environment and email case.")
@_JSON
def snippet(name: str | None, app_id: str | None, source: str | None, as_json: bool) -> None:
    """Print a script to paste into your shop's pages.

    Without NAME they are listed.
    The browser sends the events that the bridge's variables switch off.
    """
    from bridge.cli.snippet import snippet as run

    run(name, app_id, source, as_json=as_json)


@main.group(invoke_without_command=True)
@_JSON
@click.pass_context
def erasures(ctx: click.Context, as_json: bool) -> None:
    """List what customers ask to have removed or to see."""
    if ctx.invoked_subcommand is None:
        from bridge.cli.erasures import erasures as run

        run(as_json=as_json)


@erasures.command()
@click.argument("id_", metavar="[ID]", required=False, type=int)
@click.option("--all", "every", is_flag=True, help="All that wait.")
def approve(id_: int | None, every: bool) -> None:
    """Delete the users of an erasure at Heap."""
    from bridge.cli.erasures import approve as run

    run(id_, every=every)


@erasures.command()
@click.argument("id_", metavar="ID", type=int)
def export(id_: int) -> None:
    """Print what is stored of a customer who asked."""
    from bridge.cli.erasures import export as run

    run(id_)


@main.command()
@click.argument("file", required=False)
def backup(file: str | None) -> None:
    """Write an SQLite database into FILE while it is in use.

    Without FILE beside the database, under its name and the time.
    """
    from bridge.cli.storing import backup as run

    run(file)


@main.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Move everything to another database, SQLite or PostgreSQL.

    FROM and TO: database URLs, or names of variables that hold them. TO must be new; a copy that
    was cut off goes on. Refused while a web or worker process runs on either.
    """
    from bridge.cli.storing import copy as run

    run(source, target)
