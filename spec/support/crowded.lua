--- Programs for processes of their own: a server, and a caller who makes crowds of calls to it. Both
--- are told what to do by calls of the spec's, whose bodies are decimal digits or names.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local census = require "spec.support.census"
local meter = require "spec.support.meter"
local node = require "spec.support.node"
local plain = require "spec.support.plain"

--- The commands of the server, and of the caller.
local crowded = { ECHO = 1, HOLD = 2, FORGET = 3, COUNT = 4, PARK = 5, COST = 6, EXPIRE = 7 }

--- Longer than any spec, in milliseconds.
local FOREVER = 3600 * 1000

local function serve(commands)
	plain.serve {
		call = function(_, cmd, body)
			return commands[cmd](body)
		end,
		timeout = FOREVER,
	}
	print("at " .. assert(cluster.listen("127.0.0.1:0", 4096)).addr)
end

--- The server. ECHO answers with the same bytes, HOLD never and waits, FORGET is over without an
--- answer, COUNT tells one of its counts.
function crowded.server()
	serve {
		[crowded.ECHO] = function(body)
			return body
		end,
		[crowded.HOLD] = function()
			task.wait()
		end,
		[crowded.FORGET] = function() end,
		[crowded.COUNT] = function(what)
			return tostring(cluster.stats()[what])
		end,
	}
end

--- What is there of requests and tasks.
local function remains()
	local tasks = 0
	for _ in pairs(task.inspect()) do
		tasks = tasks + 1
	end
	return ("%d calls in flight, %d bytes queued, %d tasks, %d entries, %.0f bytes"):format(
		cluster.stats().calls_in_flight, cluster.stats().bytes_queued, tasks, census(), meter.resident(silly.pid)
	)
end

--- The caller of the server at an address.
---@param pid integer the server's
function crowded.caller(address, pid)
	local peer
	task.fork(function()
		peer = cluster.connect(address)
	end)

	--- So many calls, 2,000 at once, each with some milliseconds to live.
	local function expire(count)
		for _ = 1, count, 2000 do
			node.crowd(2000, function(index)
				local answer, why = cluster.call(peer, crowded.FORGET, "x", 1 + index % 20)
				assert(answer == nil and why == "timeout")
			end)
		end
	end

	serve {
		--- Leaves so many calls unanswered.
		[crowded.PARK] = function(count)
			for _ = 1, tonumber(count) do
				task.fork(function()
					cluster.call(peer, crowded.HOLD, "x")
				end)
			end
			return "parked"
		end,
		--- What each of so many calls by 64 at once costs both ends, in microseconds of processor time.
		[crowded.COST] = function(count)
			local each = math.ceil(tonumber(count) / 64)
			local began = meter.busy(silly.pid) + meter.busy(pid)
			node.crowd(64, function()
				for _ = 1, each do
					assert(cluster.call(peer, crowded.ECHO, "x"))
				end
			end)
			return tostring((meter.busy(silly.pid) + meter.busy(pid) - began) / (64 * each))
		end,
		--- Lets so many calls time out: what is there before and afterwards.
		[crowded.EXPIRE] = function(count)
			expire(20000)
			local before = remains()
			expire(tonumber(count))
			return before .. "\n" .. remains()
		end,
	}
end

return crowded
