-- A node that does the work. It knows nothing of HTTP but the status of its answers.
--
-- usage: bin/silly examples/http_gateway/worker.lua [ADDRESS]

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local cluster = require "silly.net.cluster"
local protocol = require "protocol"
local silly = require "silly"
local status = require "silly.status"
local time = require "silly.time"

local commands = protocol.commands

local handlers = {
	[commands.upper] = function(text)
		return { status = 200, text = text:upper() }
	end,
	[commands.sleep] = function(text)
		local ms = tonumber(text:match("^%d+$"))
		if not ms or ms > 60000 then
			return { status = 400, text = "milliseconds wanted, up to 60000" }
		end
		time.sleep(ms)
		return { status = 200, text = ("slept %d ms"):format(ms) }
	end,
	-- An error in a handler is logged here, and its caller gets no answer at all; so what can go wrong
	-- is caught. (On Lua 5.1 nothing in the pcall may wait.)
	[commands.fail] = function()
		local ok, why = pcall(error, "it has failed", 0)
		return { status = ok and 200 or 500, text = why }
	end,
}

cluster.serve(status.wrap {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	call = function(_, cmd, body)
		local handler = handlers[cmd]
		return handler and handler(body) or { status = 501, text = "no such command" }
	end,
})

local listener = assert(cluster.listen(arg[1] or "127.0.0.1:0"))
print(("worker on %s, pid %d"):format(listener.addr, silly.pid))
io.stdout:flush()
