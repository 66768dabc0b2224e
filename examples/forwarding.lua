-- Three nodes in a row: a front end asks a gateway, which asks the store that has the answer.
--
-- One process plays all three; between several it is the same. A handler is a task: while it waits
-- for another node, the gateway goes on with other requests.
--
-- Prints:
--   gateway: apples? one moment
--   gateway: bread? one moment
--   gateway: time? I know that myself
--   front end: time: noon
--   store: apples
--   store: bread
--   front end: apples: 12
--   front end: bread: none (no such thing)

local cluster = require "silly.net.cluster"
local task = require "silly.task"

local ASK, LOOKUP = 1, 2

local STOCK = { apples = "12" }
local store -- the gateway's handle of the store

local handlers = {
	-- The gateway's.
	[ASK] = function(what)
		if what == "time" then
			print("gateway: time? I know that myself")
			return "noon"
		end
		print("gateway: " .. what .. "? one moment")
		local answer, why = cluster.call(store, LOOKUP, what)
		-- Errors do not travel by themselves: what went wrong is part of the answer.
		return answer or "none (" .. why .. ")"
	end,
	-- The store's. An answer of "" stands for nothing found.
	[LOOKUP] = function(what)
		print("store: " .. what)
		return STOCK[what] or ""
	end,
}

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	-- May refuse: nil and a reason, which the caller gets.
	unmarshal = function(_, _, data)
		if data == "" then
			return nil, "no such thing"
		end
		return data
	end,
	call = function(_, cmd, body)
		return handlers[cmd](body)
	end,
}

task.fork(function()
	local store_listener = assert(cluster.listen("127.0.0.1:0"))
	local gateway_listener = assert(cluster.listen("127.0.0.1:0"))
	store = cluster.connect(store_listener.addr)
	local gateway = cluster.connect(gateway_listener.addr)

	local this, left = task.running(), 3
	for _, what in ipairs { "apples", "bread", "time" } do
		task.fork(function()
			print("front end: " .. what .. ": " .. assert(cluster.call(gateway, ASK, what)))
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	task.wait()
	for _, handle in ipairs { gateway, store, gateway_listener, store_listener } do
		cluster.close(handle)
	end
end)
