--- Name servers for the specs: real ones in processes of their own, and one that says nothing.

local socket = require "socket"
local raw = require "spec.support.raw"
local process = require "spec.support.process"

local names = {}

local silent = {}

local Server = {}
Server.__index = Server

--- Starts a name server; must be called in a task.
---@param zone string the source of a table, see spec/support/dns_server.lua
function names.start(zone)
	local child = process.start(('require("spec.support.dns_server").run(%s)'):format(zone))
	local port, control = child:output("(ports %d+ %d+)\n"):match("(%d+) (%d+)")
	return setmetatable({ addr = "127.0.0.1:" .. port, control = tonumber(control) }, Server)
end

--- How often a name has been asked for.
---@param key string such as "db.test/A"
function Server:count(key)
	local asker = assert(socket.udp4())
	asker:settimeout(0)
	assert(asker:setpeername("127.0.0.1", self.control))
	assert(asker:send(key))
	local count = raw.poll(function()
		return (asker:receive())
	end)
	asker:close()
	return assert(tonumber(count))
end

--- The address of a name server that never answers.
function names.silent()
	local sock = assert(socket.udp4())
	assert(sock:setsockname("127.0.0.1", 0))
	silent[#silent + 1] = sock
	local _, port = sock:getsockname()
	return "127.0.0.1:" .. port
end

--- Ends them all.
function names.close()
	for _, sock in ipairs(silent) do
		sock:close()
	end
	silent = {}
	process.kill_all()
end

return names
