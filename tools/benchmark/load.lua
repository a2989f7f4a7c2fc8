-- Sends the requests in a file, separated by NUL, one after another, and prints the
-- result as JSON. After the name of the file, a mode may follow:
--   patient           After a 503, a connection waits a second. A station would wait
--                     longer, but there are more stations than connections here.
local requests = {}
local turn = 0
local refused = 0

local function be_patient()
    function response(status)
        if status == 503 then refused = refused + 1 end
    end
    function delay()
        if refused == 0 then return 0 end
        refused = refused - 1
        return 1000
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function init(args)
    for request in io.open(args[1], "rb"):read("*a"):gmatch("%Z+") do
        requests[#requests + 1] = request
    end
    if args[2] == "patient" then be_patient() end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"answers": %d, "seconds": %f, "refused": %d, "failed": %d, "p50": %f, "p99": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
