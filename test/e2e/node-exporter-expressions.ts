/**
 * The expressions that a full dashboard of node_exporter is made of, by its metrics. `R` stands for Grafana's
 * $__rate_interval, and the selector for its $node and $job.
 */
const selector = 'instance=~".+",job="node"';
const rangeText = '5s';

const templates = `
(1 - avg(rate(node_cpu_seconds_total{mode="idle",$}[R]))) * 100
100 * scalar(node_load1{$}) / count(count by (cpu) (node_cpu_seconds_total{$}))
scalar(node_load5{$}) * 100 / count(count by (cpu) (node_cpu_seconds_total{$}))
((node_memory_MemTotal_bytes{$} - node_memory_MemFree_bytes{$}) / node_memory_MemTotal_bytes{$}) * 100
(1 - (node_memory_MemAvailable_bytes{$} / node_memory_MemTotal_bytes{$})) * 100
((node_memory_SwapTotal_bytes{$} - node_memory_SwapFree_bytes{$}) / (node_memory_SwapTotal_bytes{$})) * 100
(node_filesystem_size_bytes{$,mountpoint="/",fstype!="rootfs"} - node_filesystem_avail_bytes{$,mountpoint="/",fstype!="rootfs"}) * 100 / node_filesystem_size_bytes{$,mountpoint="/",fstype!="rootfs"}
100 - ((node_filesystem_avail_bytes{$,device!~'rootfs'} * 100) / node_filesystem_size_bytes{$,device!~'rootfs'})
count(count(node_cpu_seconds_total{$}) by (cpu))
node_time_seconds{$} - node_boot_time_seconds{$}
sum by (instance) (irate(node_cpu_seconds_total{$,mode=~"user|system"}[R])) / on (instance) group_left sum by (instance) (irate(node_cpu_seconds_total{$}[R]))
sum(irate(node_cpu_seconds_total{$,mode="system"}[R])) / scalar(count(count(node_cpu_seconds_total{$}) by (cpu)))
sum by (instance) (rate(node_cpu_seconds_total{mode=~".*irq",$}[R])) * 100
sum by (mode) (irate(node_cpu_seconds_total{$}[R])) / scalar(count(count by (cpu) (node_cpu_seconds_total{$})))
avg without (cpu) (rate(node_cpu_seconds_total{mode!="idle",$}[R]))
node_memory_MemTotal_bytes{$} - node_memory_MemFree_bytes{$} - (node_memory_Cached_bytes{$} + node_memory_Buffers_bytes{$} + node_memory_SReclaimable_bytes{$})
node_memory_Cached_bytes{$} + node_memory_Buffers_bytes{$} + node_memory_SReclaimable_bytes{$}
rate(node_network_receive_bytes_total{$}[R]) * 8
irate(node_network_transmit_bytes_total{$}[R]) * 8
rate(node_network_receive_packets_total{$}[R]) or rate(node_network_transmit_packets_total{$}[R])
rate(node_network_receive_errs_total{$}[R])
rate(node_network_transmit_errs_total{$}[R])
rate(node_network_receive_drop_total{$}[R])
rate(node_network_transmit_drop_total{$}[R])
rate(node_network_receive_compressed_total{$}[R])
rate(node_network_receive_multicast_total{$}[R])
rate(node_network_receive_fifo_total{$}[R])
rate(node_network_transmit_fifo_total{$}[R])
rate(node_network_receive_frame_total{$}[R])
rate(node_network_transmit_carrier_total{$}[R])
rate(node_network_transmit_colls_total{$}[R])
node_network_mtu_bytes{$}
node_network_speed_bytes{$}
node_network_transmit_queue_length{$}
node_network_up{operstate="up",$}
node_network_carrier{$}
node_arp_entries{$}
node_nf_conntrack_entries{$} / node_nf_conntrack_entries_limit{$}
node_softnet_processed_total{$}
rate(node_softnet_dropped_total{$}[R])
rate(node_softnet_times_squeezed_total{$}[R])
irate(node_disk_reads_completed_total{$,device=~".+"}[R])
irate(node_disk_writes_completed_total{$}[R])
irate(node_disk_read_bytes_total{$}[R])
irate(node_disk_written_bytes_total{$}[R])
irate(node_disk_io_time_seconds_total{$}[R])
irate(node_disk_read_time_seconds_total{$}[R]) / irate(node_disk_reads_completed_total{$}[R])
irate(node_disk_write_time_seconds_total{$}[R]) / irate(node_disk_writes_completed_total{$}[R])
irate(node_disk_io_time_weighted_seconds_total{$}[R])
irate(node_disk_reads_merged_total{$}[R])
irate(node_disk_writes_merged_total{$}[R])
irate(node_disk_discards_completed_total{$}[R])
node_disk_io_now{$}
node_filesystem_avail_bytes{$,device!~"rootfs"}
node_filesystem_free_bytes{$,device!~"rootfs"}
node_filesystem_size_bytes{$,device!~"rootfs"} - node_filesystem_avail_bytes{$,device!~"rootfs"}
node_filesystem_files_free{$,device!~"rootfs"}
node_filesystem_files{$,device!~"rootfs"}
node_filesystem_readonly{$,device!~"rootfs"}
node_filesystem_device_error{$,device!~"rootfs"}
node_filefd_maximum{$}
node_filefd_allocated{$}
node_memory_Inactive_bytes{$}
node_memory_Active_bytes{$}
node_memory_Committed_AS_bytes{$}
node_memory_CommitLimit_bytes{$}
node_memory_Inactive_file_bytes{$}
node_memory_Active_anon_bytes{$}
node_memory_Writeback_bytes{$}
node_memory_Dirty_bytes{$}
node_memory_Mapped_bytes{$}
node_memory_Shmem_bytes{$}
node_memory_SUnreclaim_bytes{$}
node_memory_VmallocChunk_bytes{$}
node_memory_VmallocTotal_bytes{$}
node_memory_Bounce_bytes{$}
node_memory_AnonHugePages_bytes{$}
node_memory_AnonPages_bytes{$}
node_memory_KernelStack_bytes{$}
node_memory_Percpu_bytes{$}
node_memory_HugePages_Free{$}
node_memory_HugePages_Rsvd{$}
node_memory_Hugepagesize_bytes{$}
node_memory_DirectMap4k_bytes{$}
node_memory_Unevictable_bytes{$}
node_memory_Mlocked_bytes{$}
node_memory_NFS_Unstable_bytes{$}
node_memory_PageTables_bytes{$}
node_memory_HardwareCorrupted_bytes{$}
irate(node_vmstat_pgpgin{$}[R])
irate(node_vmstat_pgpgout{$}[R])
irate(node_vmstat_pswpin{$}[R])
irate(node_vmstat_pswpout{$}[R])
irate(node_vmstat_pgfault{$}[R]) - irate(node_vmstat_pgmajfault{$}[R])
irate(node_vmstat_oom_kill{$}[R])
node_timex_estimated_error_seconds{$}
node_timex_offset_seconds{$}
node_timex_maxerror_seconds{$}
node_timex_sync_status{$}
node_timex_frequency_adjustment_ratio{$}
node_timex_loop_time_constant{$}
node_timex_tick_seconds{$}
node_timex_tai_offset_seconds{$}
node_procs_blocked{$}
node_procs_running{$}
node_processes_state{$}
irate(node_forks_total{$}[R])
node_processes_pids{$} / node_processes_max_processes{$}
node_processes_threads{$}
irate(process_virtual_memory_bytes{$}[R])
process_resident_memory_max_bytes{$}
irate(node_context_switches_total{$}[R])
irate(node_intr_total{$}[R])
irate(node_schedstat_timeslices_total{$}[R])
rate(node_schedstat_waiting_seconds_total{$}[R])
rate(node_pressure_cpu_waiting_seconds_total{$}[R])
rate(node_pressure_memory_waiting_seconds_total{$}[R])
rate(node_pressure_io_stalled_seconds_total{$}[R])
node_entropy_available_bits{$}
irate(process_cpu_seconds_total{$}[R])
process_max_fds{$}
process_open_fds{$}
node_cpu_scaling_frequency_hertz{$}
avg(node_cpu_scaling_frequency_max_hertz{$})
node_hwmon_temp_celsius{$} * on(chip) group_left(chip_name) node_hwmon_chip_names{$}
node_hwmon_temp_crit_celsius{$} * on(chip) group_left(chip_name) node_hwmon_chip_names{$}
node_cooling_device_cur_state{$}
node_power_supply_online{$}
node_systemd_socket_accepted_connections_total{$}
node_systemd_units{$,state="failed"}
node_sockstat_TCP_alloc{$}
node_sockstat_TCP_inuse{$}
node_sockstat_TCP_tw{$}
node_sockstat_UDP_inuse{$}
node_sockstat_FRAG_memory{$}
node_sockstat_TCP_mem_bytes{$}
node_sockstat_sockets_used{$}
irate(node_netstat_IpExt_InOctets{$}[R])
irate(node_netstat_IpExt_OutOctets{$}[R])
irate(node_netstat_Ip_Forwarding{$}[R])
irate(node_netstat_Icmp_InMsgs{$}[R])
irate(node_netstat_Icmp_InErrors{$}[R])
irate(node_netstat_Udp_InDatagrams{$}[R])
irate(node_netstat_Udp_InErrors{$}[R])
irate(node_netstat_UdpLite_InErrors{$}[R])
irate(node_netstat_Udp_RcvbufErrors{$}[R])
irate(node_netstat_Tcp_InSegs{$}[R])
irate(node_netstat_TcpExt_ListenOverflows{$}[R])
irate(node_netstat_TcpExt_TCPSynRetrans{$}[R])
irate(node_netstat_Tcp_RetransSegs{$}[R])
node_netstat_Tcp_CurrEstab{$}
irate(node_netstat_Tcp_ActiveOpens{$}[R])
irate(node_netstat_Tcp_PassiveOpens{$}[R])
node_scrape_collector_duration_seconds{$}
node_scrape_collector_success{$} == 0
node_textfile_scrape_error{$}
node_uname_info{$}
label_values_of_no_query{$} or vector(0)
topk(5, sum by (device) (rate(node_network_receive_bytes_total{$}[R])))
predict_linear(node_filesystem_avail_bytes{$}[1m], 4 * 3600) < 0
`;

export const nodeExporterExpressions: readonly string[] = templates
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.replaceAll('$', selector).replaceAll('[R]', `[${rangeText}]`));
