-- Sends prepared requests, each once, and says what came of them; for wrk.
-- Arguments: the file of requests (ten digits of length, then the request, and so on), the requests
-- a second over all connections (0: as fast as answers come), after how many answers to end
-- (0: when the time is over).

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int, moment *);" ..
    " int getpid(); int kill(int, int);")

local file, rate, due, left, moment

local function now()
    ffi.C.clock_gettime(1, moment)
    return tonumber(moment.s) * 1000 + tonumber(moment.ns) / 1e6
end

function init(args)
    file = assert(io.open(args[1], "rb"))
    file:setvbuf("full", 1048576)
    rate = tonumber(args[2])
    moment = ffi.new("moment")
    due = now()
    left = tonumber(args[3])
    -- What is not there costs wrk nothing.
    if rate == 0 then
        delay = nil
    end
    if left == 0 then
        response = nil
    end
end

function delay()
    local wait = due - now()
    due = due + 1000 / rate
    return math.max(0, math.floor(wait))
end

function response()
    left = left - 1
    if left == 0 then
        -- As Ctrl-C would: wrk sleeps for as long as it was told, but wakes for that.
        ffi.C.kill(ffi.C.getpid(), 2)
    end
end

function request()
    local length = file:read(10)
    if length == nil then
        -- Told as an error by whoever counts what was stored.
        file:seek("set", 0)
        length = file:read(10)
    end
    return file:read(tonumber(length))
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\nmeasured {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f,' ..
        ' "max_ms": %.3f, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, latency.max / 1e3, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
