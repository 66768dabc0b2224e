--- The node under test: this process, on both ends unless a test puts a raw peer on one.

local silly = require "silly"
local time = require "silly.time"
local task = require "silly.task"
local logger = require "silly.logger"
local cluster = require "silly.net.cluster"
local raw = require "spec.support.raw"
local log = require "spec.support.log"

local node = {}

local opened = {}

local function defaults()
	return {
		marshal = function(_, cmd, body)
			if body == nil then
				return nil, "nothing to send"
			end
			return cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = function(_, _, body)
			return "r:" .. body
		end,
		timeout = 3000,
	}
end

--- Serves with a codec that takes bodies as they are and a handler that answers "r:" and the
--- body, but for what a test wants otherwise.
function node.serve(changes)
	local conf = defaults()
	for option, value in pairs(changes or {}) do
		conf[option] = value
	end
	cluster.serve(conf)
end

function node.listen(addr, backlog, opts)
	local listener = assert(cluster.listen(addr or "127.0.0.1:0", backlog, opts))
	opened[#opened + 1] = listener
	return listener
end

function node.connect(addr, options)
	local peer = cluster.connect(addr, options)
	opened[#opened + 1] = peer
	return peer
end

--- A handle on a listener of this process, of the given generation of the wire or of serve's.
function node.pair(wire)
	local listener = node.listen(nil, nil, { wire = wire })
	return node.connect(listener.addr, { wire = wire }), listener
end

--- Calls a function in so many tasks at once and waits for all: the results, by number.
function node.crowd(count, fn)
	local results, left, waiter = {}, count, task.running()
	for index = 1, count do
		task.fork(function()
			results[index] = { fn(index) }
			left = left - 1
			if left == 0 then
				task.wakeup(waiter)
			end
		end)
	end
	task.wait()
	return results
end

--- Waits until something is so.
function node.eventually(probe, what, limit)
	local result = raw.poll(probe, limit)
	if not result then
		error("it never came to this: " .. (what or "?"), 2)
	end
	return result
end

--- How many milliseconds a function takes, and its results.
function node.timed(fn, ...)
	local began = time.monotonic()
	local first, second = fn(...)
	return time.monotonic() - began, first, second
end

function node.before()
	log.capture()
	node.serve()
end

--- Closes everything and demands that nothing stays behind.
function node.after()
	node.serve()
	for _, handle in ipairs(opened) do
		cluster.close(handle)
	end
	opened = {}
	raw.close_all()
	local deadline = os.time() + 6
	while silly.step(10) do
		if os.time() > deadline then
			log.release()
			error("something of this test stays alive", 0)
		end
	end
	logger.setlevel(logger.INFO)
	log.release()
end

return node
