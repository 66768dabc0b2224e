--- A fixed amount of work in one process, for counting instructions:
--
--   fixed.lua ping        calls one after the other
--   fixed.lua crowd       the same of 64 callers at once
--   fixed.lua zproto      messages encoded, packed, unpacked and decoded

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local zproto = require "zproto"

local CALLS = 5000
local MESSAGES = 1000

local SCHEMA = [[
item {
	.id:integer 1
	.name:string 2
}
player 1 {
	.id:integer 1
	.name:string 2
	.online:boolean 3
	.items:item[] 4
}
]]

local function call(callers)
	cluster.serve {
		marshal = function(_, cmd, body)
			return cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = function(_, _, body)
			return body
		end,
	}
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local left, busy, body = CALLS, callers, ("x"):rep(32)
	silly.run(function()
		local peer = cluster.connect(listener.addr)
		for _ = 1, callers do
			task.fork(function()
				while left > 0 do
					left = left - 1
					assert(cluster.call(peer, 1, body) == body)
				end
				busy = busy - 1
				if busy == 0 then
					silly.exit(0)
				end
			end)
		end
	end)
end

local workloads = {}

function workloads.ping()
	call(1)
end

function workloads.crowd()
	call(64)
end

function workloads.zproto()
	local proto = assert(zproto:parse(SCHEMA))
	local items = {}
	for index = 1, 20 do
		items[index] = { id = index, name = "item " .. index }
	end
	local message = { id = 1, name = "somebody", online = true, items = items }
	for _ = 1, MESSAGES do
		local packed = proto:pack(proto:encode("player", message))
		assert(#proto:decode("player", (proto:unpack(packed))).items == #items)
	end
end

workloads[arg[1]]()
