-- Sends the requests in a file, separated by NUL, one after another, and prints the
-- result as JSON. After the name of the file, a mode may follow:
--   patient           After a 503, a connection waits a second. A station would wait
--                     longer, but there are more stations than connections here.
--   signed NONCE …    Each request is followed by its signature base and by the key,
--                     each after a byte 1. NONCE and SIGNATURE in them are replaced.
--                     Each answer brings the nonce of a later request.
local ffi = require("ffi")
ffi.cdef([[
    const void *EVP_sha256(void);
    unsigned char *HMAC(const void *hash, const void *key, int key_length,
                        const char *data, size_t length, unsigned char *code, void *);
    int EVP_EncodeBlock(unsigned char *text, const unsigned char *data, int length);
]])
local code = ffi.new("unsigned char[32]")
local base64 = ffi.new("unsigned char[45]")

local requests = {}
local turn = 0
local refused = 0
local nonces = {}

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

local function sign(args)
    local oldest, newest = 1, #args - 2
    for i = 3, #args do nonces[i - 2] = args[i] end
    function response(status, headers)
        newest = newest + 1
        nonces[newest] = headers["Accept-Signature"]:match('nonce="(%x+)"')
    end
    function request()
        turn = turn % #requests + 1
        local text, base, key = requests[turn]:match("^([^\1]*)\1([^\1]*)\1(.*)$")
        local nonce = nonces[oldest]
        nonces[oldest] = nil
        oldest = oldest + 1
        base = base:gsub("NONCE", nonce)
        ffi.C.HMAC(ffi.C.EVP_sha256(), key, #key, base, #base, code, nil)
        ffi.C.EVP_EncodeBlock(base64, code, 32)
        return (text:gsub("NONCE", nonce):gsub("SIGNATURE", ffi.string(base64, 44)))
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
    if args[2] == "signed" then sign(args) end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"answers": %d, "seconds": %f, "refused": %d, "failed": %d, "p50": %f, "p99": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
