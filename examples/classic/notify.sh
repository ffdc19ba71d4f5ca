#!/bin/sh
# Called by hafw after each transition, in order, and awaited; what it prints and its exit status are kept.
# The arguments are keepalived's: INSTANCE VI_1 MASTER 150. The reason comes in the environment.
#
# The virtual address has long been bound and announced when this runs: what is slow here delays no failover.
set -eu

kind=$1 name=$2 state=$3 priority=$4
logger -t hafw-notify "$kind $name is $state, priority $priority, reason ${HAFW_REASON:-unknown}"

case $state in
    MASTER) ;; # what only the MASTER shall do, e.g. start a job
    BACKUP | FAULT | STOP) ;; # and here it ends
esac
