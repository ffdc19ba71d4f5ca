#!/bin/bash
# looks for nginx, tries to start it once
alive=$(ps -C nginx --no-header | wc -l)
if [ "$alive" -eq 0 ]; then
    systemctl start nginx
    sleep 2
    if [ "$(ps -C nginx --no-header | wc -l)" -eq 0 ]; then
        systemctl stop keepalived
    fi
fi
