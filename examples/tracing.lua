-- A trace id follows a request from node to node, so that its lines can be found in every log.
--
-- An id has four parts of 16 bits: the node where the trace began, the second when, a number, and
-- the node that passed it on last. A task has one, every call carries it, and the handler's task
-- at the other end has it from its first line on. silly.logger writes it in every line.
--
-- One process plays all parts, so there is one node number, 7; it was given by trace.setnode.
--
-- Prints:
--   client begins:      0007<time>00010000
--   server's handler:   0007<time>00010007
--   one hop further:    0007<time>00010007
--   the same trace:     true
--   without one:        0000000000000000

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local trace = require "silly.trace"

local FIRST, SECOND = 1, 2

-- 16 digits: what the log shows, too. Where Lua has no 64-bit integers an id is such a string.
local function digits(id)
	return type(id) == "string" and id or ("%016x"):format(id)
end

local seen = {}
local me

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, cmd)
		seen[cmd] = digits(trace.current())
		if cmd == FIRST then
			-- Nothing to do for it: what a handler asks of others is part of the same trace.
			return cluster.call(me, SECOND, "")
		end
		return "done"
	end,
}

trace.setnode(7)

task.fork(function()
	local listener = assert(cluster.listen("127.0.0.1:0"))
	me = cluster.connect(listener.addr)

	trace.spawn()
	local mine = digits(trace.current())
	assert(cluster.call(me, FIRST, ""))
	print("client begins:      " .. mine)
	print("server's handler:   " .. seen[FIRST])
	print("one hop further:    " .. seen[SECOND])
	-- All but the part that says who passed it on.
	print("the same trace:     " .. tostring(mine:sub(1, 12) == seen[SECOND]:sub(1, 12)))

	trace.attach(nil)
	print("without one:        " .. digits(trace.current()))
	cluster.close(me)
	cluster.close(listener)
end)
