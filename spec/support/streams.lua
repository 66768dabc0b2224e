--- Connections of silly.net.tcp under test, with a raw peer or a second one at the other end.

local tcp = require "silly.net.tcp"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local channel = require "silly.sync.channel"

local streams = {}

local opened = {}

--- Has something closed when the test is over.
function streams.keep(handle)
	opened[#opened + 1] = handle
	return handle
end

--- A connection, and the raw peer at its other end.
function streams.with_raw()
	local server = raw.listen()
	local conn = streams.keep(assert(tcp.connect(server.addr)))
	return conn, assert(server:accept())
end

--- A listener, and a channel of the connections that it takes in.
function streams.listen(addr)
	local arrivals = channel.new()
	local listener = streams.keep(assert(tcp.listen({
		addr = addr or "127.0.0.1:0",
		accept = function(conn)
			arrivals:push(streams.keep(conn))
		end,
	})))
	return listener, arrivals
end

--- Two connections with each other.
function streams.pair()
	local listener, arrivals = streams.listen()
	local conn = streams.keep(assert(tcp.connect(listener.addr)))
	local other = arrivals:pop()
	listener:close()
	return conn, other
end

streams.before = node.before

--- Closes everything and demands that nothing stays behind.
function streams.after()
	for _, handle in ipairs(opened) do
		handle:close()
	end
	opened = {}
	node.after()
end

return streams
