-- A node of the shop, in a process of its own; see run.lua.
--
-- usage: node.lua NUMBER [ADDRESS]: with the address of the next node it asks that one, without it
-- answers itself. It ends when whoever called it has left.

local cluster = require "silly.net.cluster"
local logger = require "silly.logger"
local silly = require "silly"
local trace = require "silly.trace"

local number, next_address = tonumber(arg[1]), arg[2]

trace.setnode(number)

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, cmd, thing)
		-- The handler's task has the caller's trace, and hands it on with whatever it asks.
		if not next_address then
			logger.info("taking it off the shelf:", thing)
			return "your " .. thing
		end
		logger.info("somebody wants:", thing)
		return cluster.call(cluster.connect(next_address), cmd, thing)
	end,
	close = function()
		silly.exit()
	end,
}

print(assert(cluster.listen("127.0.0.1:0")).addr)
