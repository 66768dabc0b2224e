-- Begins a trace and asks the shop; see run.lua.
--
-- usage: client.lua NUMBER ADDRESS

local cluster = require "silly.net.cluster"
local logger = require "silly.logger"
local task = require "silly.task"
local trace = require "silly.trace"

trace.setnode(tonumber(arg[1]))

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function() end,
}

task.fork(function()
	local shop = cluster.connect(arg[2])
	logger.info("before the trace")
	trace.spawn()
	logger.info("buying a sword")
	local answer, why = cluster.call(shop, 1, "sword")
	print(answer or why)
	cluster.close(shop)
end)
