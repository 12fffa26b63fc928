# SPDX-License-Identifier: GPL-2.0-or-later
#
# The figures as text, at most 80 columns wide.

HEADING = """\
              us in kernel   % of the untraced rate       s of CPU   MB  MB lost
              / connection    loop       cpu  wrk         all user  out RSS    %"""


def cell(value, width, digits=0):
    return ("-" if value is None else f"{value:.{digits}f}").rjust(width)


def middle(value, scale=1):
    return None if value is None else value["median"] * scale


def short(value):
    """Three digits."""
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}"


def ranged(value, scale, width, form=short):
    """The median, and between which the runs lie."""
    if value is None:
        return "-".rjust(width // 3).ljust(width)
    low, high = form(value["min"] * scale), form(value["max"] * scale)
    return f"{form(value['median'] * scale).rjust(width // 3)} {low}-{high}".ljust(width)


def percent(value):
    return f"{value:.0f}"


def row_of(name, row):
    rss = row["peak_rss_bytes"] and middle(row["peak_rss_bytes"]) - middle(row["buffer_bytes"])
    return (name[:12].ljust(13) + ranged(row["kernel_ns"], 1e-3, 16) +
            ranged(row["rate_share"], 100, 11, percent) +
            cell(middle(row["cpu_share"], 100), 4) + " " +
            ranged(row["wrk_rate_share"], 100, 11, percent) +
            cell(middle(row["cpu_s_per_100k"]), 5, 2) + cell(middle(row["user_s_per_100k"]), 5, 2) +
            cell(middle(row["bytes_per_connection"], 0.1), 5) +
            cell(rss and rss * 1e-6, 4) + cell(middle(row["lost_share"], 100), 5, 1)).rstrip()


def print_head(report):
    version = report["versions"]
    made_with = ", ".join(f"{name} {version[name]}" for name in
                          ("libbpf-tools", "bpftrace") if version.get(name))
    print(f"{report['date']}, make bench ARGS='{report['arguments']}'")
    print(f"Linux {report['kernel']} {report['machine']}, {report['cpus']} CPUs"
          f"{', ' + report['cpu_model'] if report['cpu_model'] else ''}"[:80])
    print(f"{version['synfin']}, {report['tier'] or 'unknown'} tier; {made_with}"[:80])
    for part, rates in report["untraced"].items():
        rate = rates["rate"]
        if rate:
            print(f"{part}: {rate['median']:.0f} connections/s untraced "
                  f"({rate['min']:.0f}-{rate['max']:.0f})")


def print_snapshots(snapshots):
    sizes = list(snapshots)
    print("\nsockets".ljust(14) + "".join(f"{int(size):,}".rjust(15) for size in sizes))
    for command in snapshots[sizes[0]]:
        line = command.ljust(13)
        for size in sizes:
            found = snapshots[size][command]
            line += (f"{found['seconds']['median']:.3f} s "
                     f"{found['rss_bytes']['max'] * 1e-6:.0f} MB").rjust(15)
        print(line)


def print_table(report):
    print_head(report)
    print()
    print(HEADING)
    for name, row in report["rows"].items():
        print(row_of(name, row))
    for name, why in report["absent"].items():
        print(f"{name.ljust(13)} does not run here: {why}"[:160])
    if report["snapshots"]:
        print_snapshots(report["snapshots"])
    runs = {key: min([row[key]["runs"] for row in report["rows"].values() if row[key]] or [0])
            for key in ("kernel_ns", "rate_share", "wrk_rate_share")}
    print()
    print(f"Medians (and extremes) of {runs['kernel_ns']} runs of {report['connections']} "
          "connections in the kernel, and of")
    print(f"{runs['rate_share']} and {runs['wrk_rate_share']} of {report['seconds']} s for the "
          "rates. loop: connect, exchange, close; wrk: nginx,")
    print("one connection per request. cpu: loop by CPU time, not the clock. s of CPU,")
    print("MB out, lost: the loop's, per 100,000 connections, both ends of which are")
    print("here. MB RSS: the peak, beside buffers that the kernel fills.")
    print(f"Load average before: {report['load_average_before']:.2f}; "
          f"took {report['took_s']:.0f} s.")


def print_programs(report):
    print()
    print("program".ljust(36) + "ns/connection".rjust(14) + "runs/connection".rjust(17)
          + "ns/run".rjust(9))
    for name, row in report["rows"].items():
        ordered = sorted(row["programs"].items(), key=lambda item: -item[1]["ns"])
        for program, p in ordered:
            per_run = p["ns"] / p["runs"] if p["runs"] else None
            print(f"{name}: {program}"[:36].ljust(36) + cell(p["ns"], 14) +
                  cell(p["runs"], 17, 2) + cell(per_run, 9))
