#!/bin/sh
# Draws the README's pictures anew, those of the scenarios named, of all unless any is:
#
#     sh reports/gallery/make.sh [restart] [libraries] [rolling-deploy] [stages] [plan]
#         [report]
#
# `restart` is measured on real sockets: run it on an idle machine. If that is too slow, the verdict
# is not ok, and its pictures stay as they are. The others come out the same on every machine; that of
# the report needs chromium.
set -eu
gallery=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
for scenario in ${*:-restart libraries rolling-deploy stages plan report}; do
    case $scenario in
    restart)
        herd compare restart --strict --out "$runs/restart"
        for picture in storm recovery raster states; do
            cp "$runs/restart/figures/$picture.png" "$gallery/$picture.png"
        done
        ;;
    libraries)
        herd compare libraries --engine virtual --out "$runs/libraries"
        cp "$runs/libraries/figures/raster.png" "$gallery/libraries.png"
        ;;
    rolling-deploy)
        herd run rolling-deploy --engine virtual --out "$runs/rolling-deploy"
        cp "$runs/rolling-deploy/figures/nodes.png" "$gallery/nodes.png"
        ;;
    stages)
        herd compare auth-bottleneck --engine virtual --out "$runs/auth-bottleneck"
        cp "$runs/auth-bottleneck/figures/backlog.png" "$gallery/backlog.png"
        herd compare cascade --engine virtual --out "$runs/cascade"
        cp "$runs/cascade/figures/lost.png" "$gallery/lost.png"
        ;;
    plan)
        herd plan restart --objective 'time_to_recovery_p99 < 15' --out "$runs/plan" || test $? = 3
        cp "$runs/plan/figures/region.png" "$gallery/region.png"
        ;;
    report)
        herd compare restart --engine virtual --out "$runs/report"
        chromium --headless --no-sandbox --hide-scrollbars --window-size=1280,1180 \
            --screenshot="$gallery/report.png" "file://$runs/report/report.html"
        ;;
    *)
        echo "make.sh: $scenario: restart, libraries, rolling-deploy, stages, plan or report" >&2
        exit 2
        ;;
    esac
done
