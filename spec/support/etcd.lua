--- An etcd of a test's own, on loopback, with its data in a directory of its own; and a second way to it,
--- over HTTP, by which a test does and sees things that our client does not.

local json = require "silly.internal.json"
local time = require "silly.time"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"

local etcd = {}

--- With these etcd grants leases of one second.
etcd.FAST = "--heartbeat-interval=50 --election-timeout=500"

local function line_of(command)
	local pipe = assert(io.popen(command))
	local line = pipe:read("*l")
	pipe:close()
	return line
end

local program = line_of(("'%s/tools/etcd' 2>/dev/null"):format(shell.root))

--- Where it is, for programs that look for one on the PATH; nil where there is none.
etcd.directory = program and program:match("^(.*)/")

local Server = {}
Server.__index = Server
local servers = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- As etcd wants bytes in JSON.
local function base64(bytes)
	return (bytes:gsub("..?.?", function(part)
		local a, b, c = part:byte(1, 3)
		local number = a * 65536 + (b or 0) * 256 + (c or 0)
		local text = ""
		for place = 3, 0, -1 do
			local digit = math.floor(number / 64 ^ place) % 64
			text = text .. ALPHABET:sub(digit + 1, digit + 1)
		end
		return text:sub(1, #part + 1) .. ("="):rep(3 - #part)
	end))
end

--- The request of one operation; a table, or nil while there is no answer.
function Server:request(path, body)
	local ok, peer = pcall(raw.connect, self.endpoint)
	if not ok then
		return nil
	end
	peer:send(("POST /v3/%s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"):format(path, #body, body))
	local answered = peer:has_ended()
	peer:close()
	return answered and peer.arrived:find("^HTTP/1.%d 200 ") and json.decode((peer.arrived:match("\r\n\r\n(.*)$")))
end

--- Puts a value of any bytes.
function Server:put(key, value)
	return assert(self:request("kv/put", ('{"key":"%s","value":"%s"}'):format(base64(key), base64(value))))
end

function Server:delete(key)
	return assert(self:request("kv/deleterange", ('{"key":"%s"}'):format(base64(key))))
end

--- Whether a key is there.
function Server:has(key)
	return assert(self:request("kv/range", ('{"key":"%s"}'):format(base64(key)))).kvs ~= nil
end

--- Forgets everything older than now.
function Server:compact()
	local now = assert(self:request("kv/range", ('{"key":"%s"}'):format(base64("x")))).header.revision
	assert(self:request("kv/compaction", ('{"revision":"%s","physical":true}'):format(now)))
end

--- Starts it, or starts it again with what it had, and waits until it answers.
function Server:start()
	local pid = line_of(("sh -c 'echo $$; exec \"%s\" --data-dir \"%s\" --listen-client-urls http://%s "
		.. "--advertise-client-urls http://%s --listen-peer-urls http://%s --initial-advertise-peer-urls http://%s "
		.. "--initial-cluster default=http://%s %s >>\"%s.log\" 2>&1 </dev/null' &"):format(program, self.directory,
		self.endpoint, self.endpoint, self.peers, self.peers, self.peers, self.options, self.directory))
	self.pid = assert(tonumber(pid))
	local ready = raw.poll(function()
		time.sleep(20)
		return self:request("maintenance/status", "{}")
	end, 15000)
	assert(ready, "etcd does not answer")
end

--- Sends a signal by its name, without SIG.
function Server:signal(name)
	os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid))
end

--- Ends it at once. What it had is still there.
function Server:kill()
	self:signal("KILL")
	-- Until the system has closed its sockets.
	raw.poll(function()
		local ok, peer = pcall(raw.connect, self.endpoint)
		return not ok or peer:close()
	end)
end

--- Starts one; must be called in a task.
---@param options string? of its command line
function etcd.start(options)
	local server = setmetatable({
		directory = line_of("mktemp -d"),
		endpoint = raw.dead_address(),
		peers = raw.dead_address(),
		options = options or "",
	}, Server)
	servers[#servers + 1] = server
	server:start()
	return server
end

--- Ends them all, with what they had.
function etcd.close()
	for _, server in ipairs(servers) do
		server:signal("KILL")
		os.execute(("rm -rf '%s' '%s.log'"):format(server.directory, server.directory))
	end
	servers = {}
end

return etcd
