-- A service that is told to end, by SIGTERM: it finishes what it has begun, and then leaves.
--
-- cluster.drain stops listening, lets the handlers at work end and their answers leave, and closes
-- every connection. A handler of the script's own takes the place of what SIGTERM would do, so it
-- must end with silly.exit. Here the service starts a client, and sends the signal to itself while
-- that one's call is under way.
--
-- Prints:
--   working on the report
--   SIGTERM: 1 request to finish
--   the report is written
--   drained: true
--   the client got: the report

local cluster = require "silly.net.cluster"
local signal = require "silly.signal"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, _, what)
		print("working on the " .. what)
		os.execute("kill -TERM " .. silly.pid)
		time.sleep(100)
		print("the " .. what .. " is written")
		return "the " .. what
	end,
}

if arg[1] then
	-- The client.
	task.fork(function()
		local answer, why = cluster.call(cluster.connect(arg[1]), 1, "report")
		print(answer or why)
		silly.exit(0)
	end)
	return
end

local client

signal("SIGTERM", function()
	print(("SIGTERM: %d request to finish"):format(cluster.stats().handlers))
	print("drained: " .. tostring(cluster.drain(3000)))
	print("the client got: " .. client:read("*l"))
	silly.exit(0)
end)

local listener = assert(cluster.listen("127.0.0.1:0"))
local first = 0
while arg[first - 1] do
	first = first - 1
end
client = io.popen(table.concat(arg, " ", first, 0) .. " " .. listener.addr)
