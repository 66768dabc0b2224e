-- Five nodes that know nothing of each other but where etcd is. They find each other, call each other, one
-- is killed, and the calls go on among the others.
--
-- usage: run.lua [ENDPOINT]: of an etcd; without it one is started, which must be on the PATH.
--
-- Prints:
--   a sees a b c d e
--   b sees a b c d e
--   c sees a b c d e
--   d sees a b c d e
--   e sees a b c d e
--   c is killed
--   a sees a b d e
--   b sees a b d e
--   d sees a b d e
--   e sees a b d e
--   gone for all within two seconds: true
--   no call failed but those in flight to c: true
--   hundreds of each were answered afterwards: true

local silly = require "silly"
local task = require "silly.task"
local tcp = require "silly.net.tcp"
local time = require "silly.time"

local folder = arg[0]:match("^(.*)[/\\]") or "."
local first = 0
while arg[first - 1] do
	first = first - 1
end
-- However this script was started, the others are started the same way.
local start = table.concat(arg, " ", first, -1) .. " " .. folder

local NAMES = { "a", "b", "c", "d", "e" }
local nodes, etcd = {}, nil

-- Starts a process; its pid is what it prints first.
local function run(command)
	local pipe = assert(io.popen("echo $$; exec " .. command))
	return { pid = assert(pipe:read("*l")), pipe = pipe }
end

local function send(process, signal)
	os.execute(("kill -%s %s"):format(signal, process.pid))
end

-- Ends all of it, whether or not it went well.
local function finish(status)
	for _, node in pairs(nodes) do
		send(node, "TERM")
		node.pipe:close() -- waits for its end
	end
	if etcd then
		send(etcd, "KILL")
		etcd.pipe:close()
		os.execute("rm -rf '" .. etcd.data .. "'")
	end
	silly.exit(status)
end

-- The next line of a node.
local function hear(name)
	local line = nodes[name].pipe:read("*l")
	if not line then
		print(name .. " has ended")
		finish(1)
	end
	return line
end

-- An address that was free a moment ago.
local function free_address()
	local listener = assert(tcp.listen { addr = "127.0.0.1:0", accept = function() end })
	local addr = listener.addr
	listener:close()
	return addr
end

-- An etcd of our own. With these two times it grants leases of one second; as it comes, of two.
local function start_etcd()
	local client, peer, data = free_address(), free_address(), os.tmpname()
	os.remove(data)
	etcd = run(("etcd --data-dir '%s' --listen-client-urls http://%s --advertise-client-urls http://%s "
		.. "--listen-peer-urls http://%s --initial-advertise-peer-urls http://%s --initial-cluster default=http://%s "
		.. "--heartbeat-interval 50 --election-timeout 500 >/dev/null 2>&1 </dev/null"):format(
		data, client, client, peer, peer, peer))
	etcd.data = data
	for _ = 1, 500 do
		local conn = tcp.connect(client)
		if conn then
			conn:close()
			return client
		end
		time.sleep(20)
	end
	print("there is no etcd")
	finish(1)
end

task.fork(function()
	local endpoint = arg[1] or start_etcd()
	for _, name in ipairs(NAMES) do
		nodes[name] = run(("%s/node.lua %s %s"):format(start, endpoint, name))
	end
	for _, name in ipairs(NAMES) do
		print(name .. " " .. hear(name))
	end
	time.sleep(500) -- in which they call each other

	print("c is killed")
	send(nodes.c, "KILL")
	local killed = time.monotonic()
	nodes.c.pipe:close()
	nodes.c = nil
	local slowest = 0
	for _, name in ipairs { "a", "b", "d", "e" } do
		print(name .. " " .. hear(name))
		slowest = math.max(slowest, time.monotonic() - killed)
	end
	print("gone for all within two seconds: " .. tostring(slowest < 2000))
	time.sleep(500) -- in which they still do

	local needless, all_go_on = 0, true
	for name in pairs(nodes) do
		send(nodes[name], "USR1")
	end
	for name in pairs(nodes) do
		local afterwards, in_vain = hear(name):match("after a loss (%d+); failed %d+, without need (%d+)$")
		all_go_on = all_go_on and tonumber(afterwards) > 100
		needless = needless + in_vain
	end
	print("no call failed but those in flight to c: " .. tostring(needless == 0))
	print("hundreds of each were answered afterwards: " .. tostring(all_go_on))
	finish(0)
end)
