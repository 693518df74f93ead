#!/bin/sh
# Draws the README's pictures anew, those of the comparisons named, of both unless any is:
#
#     sh reports/gallery/make.sh [restart] [libraries]
#
# `restart` is measured on real sockets: run it on an idle machine. If that is too slow, the verdict
# is not ok, and its pictures stay as they are. `libraries` comes out the same on every machine.
set -eu
gallery=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
for comparison in ${*:-restart libraries}; do
    case $comparison in
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
    *)
        echo "make.sh: $comparison: restart or libraries" >&2
        exit 2
        ;;
    esac
done
