#!/bin/sh
# Report a temperature of this computer to ESP Weather in Home Assistant. Once a minute
# with cron: * * * * * /path/to/report.sh
server=http://192.168.1.10:8123 # Home Assistant
key=PHDNGI2345                  # as its dialog shows it
interface=eth0                  # whose MAC address names this station
thermometer=/sys/class/thermal/thermal_zone0/temp

mac=$(cat "/sys/class/net/$interface/address") || exit
celsius=$(awk '{ printf "%.1f", $1 / 1000 }' "$thermometer") || exit
# The key goes through a pipe, since other users can see command lines.
printf 'api_key=%s&mac=%s&field1=%s' "$key" "$mac" "$celsius" |
    curl --silent --show-error --fail-with-body --max-time 10 --data @- "$server/update"
